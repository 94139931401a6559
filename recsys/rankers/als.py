"""Weighted matrix factorisation by alternating least squares (the library implicit)."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from recsys.rankers.base import ItemSide, UserSide
from recsys.rankers.histories import HistoryRanker, multi_hot
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch


class ALSRanker(HistoryRanker):
    """score(u, i) = p_u·q_i; P and Q minimise Σ c_ui (x_ui − p_u·q_i)² + λ(‖P‖² + ‖Q‖²) over all pairs.

    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008; x_ui is 1 and c_ui is
    α for an interaction, 0 and 1 without one. How much λ, α and the number of factors matter: Rendle et al.,
    "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys 2022. Q is solved on the train part;
    p_u is the least-squares solution for u's history given Q, so new users are served like all others.

    Args:
        context: Sizes of the data.
        n_factors: Width of p and q.
        alpha: α, the weight of an interaction beside 1 for a pair without.
        regularization: λ.
        n_iterations: Times that P and Q are solved in turn, each exactly.

    Raises:
        ConfigError: If a value is impossible, or implicit is not installed.
    """

    item_factors: Tensor

    def __init__(
        self,
        context: ModelContext,
        n_factors: int = 64,
        alpha: float = 10.0,
        regularization: float = 10.0,
        n_iterations: int = 15,
    ) -> None:
        super().__init__(context.n_items)
        positive = {"alpha": alpha, "regularization": regularization}
        for key, value in {**positive, "n_factors": n_factors, "n_iterations": n_iterations}.items():
            if value <= 0:
                raise ConfigError(f"ranker.{key} is {value}; expected a positive number.")
        if find_spec("implicit") is None:
            raise ConfigError('ranker=als needs the library implicit: pip install "recsys[als]".')
        self.alpha, self.regularization, self.n_iterations = alpha, regularization, n_iterations
        self.register_buffer("item_factors", torch.zeros(context.n_items, n_factors))

    def solve(self, train: TrainInteractions) -> None:
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):  # implicit divides its rows among threads, each with products of its own
            model = AlternatingLeastSquares(
                factors=self.item_factors.shape[1],
                regularization=self.regularization,
                alpha=self.alpha,
                iterations=self.n_iterations,
                use_cg=False,
                num_threads=torch.get_num_threads(),
                random_state=train.seed,
            )
            model.fit(train.matrix, show_progress=False)
        self.item_factors = torch.from_numpy(model.item_factors)

    def item_factors_of(self, items: ItemSide) -> Tensor:
        return self.item_factors[items.idx]

    def user_factors_of(self, users: UserSide) -> Tensor:
        return self.user_factors(users.batch)

    def score_histories(self, users: UserBatch) -> Tensor:
        return self.user_factors(users) @ self.item_factors.T

    def user_factors(self, users: UserBatch) -> Tensor:
        """The factors (B, n_factors) that suit each user's history best, given those of the items."""
        factors = self.item_factors.double()
        known = [factors[row > 0] for row in multi_hot(users, self.n_items)]
        penalty = self.regularization * torch.eye(factors.shape[1], dtype=factors.dtype, device=factors.device)
        everything = factors.T @ factors + penalty
        systems = torch.stack([everything + (self.alpha - 1) * vectors.T @ vectors for vectors in known])
        targets = torch.stack([self.alpha * vectors.sum(dim=0) for vectors in known])
        return torch.linalg.solve(systems, targets).float()
