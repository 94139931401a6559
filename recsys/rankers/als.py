"""Weighted matrix factorisation by alternating least squares (the library implicit)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys.rankers.factors import FactorRanker, require_positive
from recsys.rankers.histories import multi_hot
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch


class ALSRanker(FactorRanker):
    """score(u, i) = p_u·q_i; P and Q minimise Σ c_ui (x_ui − p_u·q_i)² + Σ λ_u‖p_u‖² + Σ λ_i‖q_i‖² over all pairs.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008; x_ui is 1 and c_ui is
    α for an interaction, 0 and 1 without one. Q is solved on the train part; p_u is the least-squares solution for
    u's history given Q, so new users are served like all others.

    How much λ, α, ν and the number of factors matter: Rendle, Krichene, Zhang and Koren, "Revisiting the Performance
    of iALS on Item Recommendation Benchmarks", RecSys 2022. Theirs is λ_u = λ(|I_u| + |I|/α)^ν, with |I_u| interactions
    of u and |I| items, and so with i and the users. Here it is λ times that over its mean for all users (or items),
    to the power of ν, so that ν leaves the size of λ alone.

    Args:
        context: Sizes of the data.
        n_factors: Width of p and q.
        alpha: α, the weight of an interaction beside 1 for a pair without.
        regularization: λ.
        frequency_scaling: ν, how much more users and items with many interactions are regularised: 0 for all the same.
        n_iterations: Times that P and Q are solved in turn, each exactly.

    Raises:
        ConfigError: If a value is impossible, or implicit is not installed.
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
        require_positive(alpha=alpha, regularization=regularization, n_iterations=n_iterations)
        if frequency_scaling < 0:
            raise ConfigError(f"ranker.frequency_scaling is {frequency_scaling}; expected 0 or more.")
        if find_spec("implicit") is None:
            raise ConfigError('ranker=als needs the library implicit: pip install "recsys[als]".')
        self.alpha, self.regularization, self.frequency_scaling = alpha, regularization, frequency_scaling
        self.n_iterations = n_iterations
        self.mean_length = int(context.item_counts.sum()) / max(1, context.n_users)

    def solve(self, train: TrainInteractions) -> None:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        scaled = self.frequency_scaling > 0
        with threadpool_limits(1, "blas"):  # implicit divides its rows among threads, each with products of its own
            model = AlternatingLeastSquares(
                factors=self.item_factors.shape[1],
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=0 if scaled else self.n_iterations,
                use_cg=False,
                num_threads=torch.get_num_threads(),
                random_state=train.seed,
            )
            model.fit(train.matrix, show_progress=False)
            if scaled:
                self._alternate(model, train.matrix)
        self.store(model.item_factors)

    def _alternate(self, model: Any, items_of_users: csr_matrix) -> None:
        """What implicit's `fit` does, with a regularisation for each number of interactions."""
        users_of_items = items_of_users.T.tocsr()
        for _ in range(self.n_iterations):
            self._solve_rows(model, model.partial_fit_users, items_of_users, self.mean_length)
            self._solve_rows(model, model.partial_fit_items, users_of_items, items_of_users.nnz / self.n_items)

    def _solve_rows(self, model: Any, solve: Callable[..., None], rows: csr_matrix, mean_length: float) -> None:
        """Solve for all rows by calls of `solve`, one for all rows of a length: theirs is the same regularisation."""
        lengths = np.diff(rows.indptr)
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            model.regularization = float(self.penalties(length, rows.shape[1], mean_length))
            solve(same, rows[same])

    def penalties(self, lengths: Any, n_columns: int, mean_length: float) -> Any:
        """λ of rows with as many interactions of `n_columns` possible ones, where the mean row has `mean_length`."""
        relative = (self.alpha * lengths + n_columns) / (self.alpha * mean_length + n_columns)
        return self.regularization * relative**self.frequency_scaling

    def user_factors(self, users: UserBatch) -> Tensor:
        factors = self.item_factors.double()
        hot = multi_hot(users, self.n_items)
        known = [factors[row > 0] for row in hot]
        penalties = self.penalties(hot.double().sum(dim=1), self.n_items, self.mean_length)
        identity = torch.eye(factors.shape[1], dtype=factors.dtype, device=factors.device)
        systems = factors.T @ factors + penalties.view(-1, 1, 1) * identity
        systems += torch.stack([(self.alpha - 1) * vectors.T @ vectors for vectors in known])
        targets = torch.stack([self.alpha * vectors.sum(dim=0) for vectors in known])
        return torch.linalg.solve(systems, targets).float()
