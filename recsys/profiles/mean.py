"""The mean of the history's item vectors, without parameters."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from recsys.layers.lookup import row_sums
from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch


class MeanProfile(Profile):
    """The mean of the history's item vectors; zeros for an empty history."""

    is_mean: ClassVar[bool] = True

    def __init__(self, context: ModelContext) -> None:
        super().__init__()

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        if rows.shape[1] == 0:
            return item_vectors.new_zeros(len(rows), item_vectors.shape[1])
        weights = users.history_mask.to(item_vectors.dtype)
        total = row_sums(weights, item_vectors, rows)
        return total / weights.sum(dim=1, keepdim=True).clamp(min=1.0)
