"""Rankers with a fitted matrix of item factors, and fold-in of users by their history."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.rankers.base import Factorised, Fittable, SharedItems, UserSide
from recsys.rankers.histories import HistoryRanker
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_whole


class FactorRanker(HistoryRanker, Fittable, Factorised):
    """score(u, i) = p_u·q_i; q is fitted on the train part, and p_u is computed from u's history when u is scored.

    Args:
        context: Sizes of the data.
        n_factors: Width of p and q.

    Raises:
        ConfigError: If the width is not positive.
    """

    item_factors: Tensor

    def __init__(self, context: ModelContext, n_factors: int) -> None:
        super().__init__(context.n_items)
        check_whole("ranker.n_factors", n_factors, 1)
        self.register_buffer("item_factors", torch.zeros(context.n_items, n_factors))

    def store(self, factors: NDArray[Any]) -> None:
        """Set the item factors to `factors` (n_items, n), n ≤ `n_factors`; the other columns are 0."""
        self.item_factors.zero_()[:, : factors.shape[1]] = torch.from_numpy(factors)

    @abstractmethod
    def user_factors(self, users: UserBatch) -> Tensor:
        """The factors p (B, n_factors) of users."""

    def item_factors_of(self, items: SharedItems) -> Tensor:
        return self.item_factors[items.idx]

    def user_factors_of(self, users: UserSide) -> Tensor:
        return self.user_factors(users.batch)

    def score_histories(self, users: UserBatch) -> Tensor:
        return self.user_factors(users) @ self.item_factors.T
