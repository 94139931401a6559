"""Weighted matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys.rankers.factors import FactorRanker
from recsys.rankers.histories import multi_hot
from recsys.rankers.least_squares import solve_rows
from recsys.schema import ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_number, check_whole


class ALSRanker(FactorRanker):
    """score(u, i) = p_u·q_i; P and Q minimise Σ c_ui (x_ui − p_u·q_i)² + Σ λ_u‖p_u‖² + Σ λ_i‖q_i‖² over all pairs.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008; x_ui is 1 and c_ui is
    α for an interaction, 0 and 1 without one. Q is fitted on the train part; p_u is the least-squares solution for
    u's history given Q, so new users are scored like all others.

    On the effect of λ, α, ν and the number of factors see Rendle, Krichene, Zhang and Koren, "Revisiting the
    Performance of iALS on Item Recommendation Benchmarks", RecSys 2022. Their regularisation is
    λ_u = λ(|I_u| + |I|/α)^ν, with |I_u| interactions of u and |I| items, and likewise λ_i. Here the base of the power
    is divided by its value at the mean number of interactions, so that the size of λ does not depend on ν.

    Args:
        context: Sizes of the data.
        n_factors: Width of p and q.
        alpha: α, the weight of an interaction; a pair without one has weight 1.
        regularization: λ.
        frequency_scaling: ν, power of the number of interactions in the regularisation; 0: the same for all.
        n_iterations: Number of alternations; each solves for P and then for Q exactly.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        n_factors: int = 64,
        alpha: float = 10.0,
        regularization: float = 10.0,
        frequency_scaling: float = 1.0,
        n_iterations: int = 15,
    ) -> None:
        super().__init__(context, n_factors)
        check_number("ranker.alpha", alpha, above=0)
        check_number("ranker.regularization", regularization, above=0)
        check_number("ranker.frequency_scaling", frequency_scaling, at_least=0)
        check_whole("ranker.n_iterations", n_iterations, 1)
        self.alpha, self.regularization, self.frequency_scaling = alpha, regularization, frequency_scaling
        self.n_iterations = n_iterations
        self.mean_length = int(context.item_counts.sum()) / max(1, context.n_users)

    def fit(self, train: TrainInteractions) -> None:
        generator = np.random.default_rng(train.seed)
        width = self.item_factors.shape[1]
        start = [generator.random((n, width), dtype=np.float32) * 0.01 for n in train.matrix.shape]
        users, items = map(torch.from_numpy, start)
        items_of_users, users_of_items = train.matrix, train.matrix.T.tocsr()
        for _ in range(self.n_iterations):
            users = self._solved(items_of_users, items, self.mean_length)
            items = self._solved(users_of_items, users, train.matrix.nnz / self.n_items)
        self.store(items.numpy())

    def _solved(self, rows: csr_matrix, factors: Tensor, mean_length: float) -> Tensor:
        lengths, columns = torch.from_numpy(np.diff(rows.indptr)).long(), torch.from_numpy(rows.indices)
        penalties = self.penalties(lengths.double(), rows.shape[1], mean_length)
        return solve_rows(lengths, columns, factors, self.alpha, penalties)

    def penalties(self, lengths: Any, n_columns: int, mean_length: float) -> Any:
        """λ of rows with `lengths` interactions in `n_columns` columns; the mean row has `mean_length` of them."""
        relative = (self.alpha * lengths + n_columns) / (self.alpha * mean_length + n_columns)
        return self.regularization * relative**self.frequency_scaling

    def user_factors(self, users: UserBatch) -> Tensor:
        hot = multi_hot(users, self.n_items)
        lengths = hot.sum(dim=1).long()
        penalties = self.penalties(lengths.double(), self.n_items, self.mean_length)
        columns = hot.nonzero()[:, 1]
        return solve_rows(lengths, columns, self.item_factors.double(), self.alpha, penalties).float()
