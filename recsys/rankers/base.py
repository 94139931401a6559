"""The contract of a ranker: user and item in, one raw score out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from recsys.schema import UserBatch


@dataclass
class UserSide:
    """Users to be ranked for: who they are and what they did, and `vectors` (B, dim) of their profiles."""

    batch: UserBatch
    vectors: Tensor


@dataclass
class ItemSide:
    """Items to be scored: `idx` and `vectors`, (I,) and (I, dim) for all users, or (B, N) and (B, N, dim) by row."""

    idx: Tensor
    vectors: Tensor


class Ranker(nn.Module, ABC):
    """Scores how well items suit users; a higher score is a better match, raw and unbounded."""

    learned: ClassVar[bool] = True

    @abstractmethod
    def score(self, users: UserSide, items: ItemSide) -> Tensor:
        """Scores (B, N) of each user's own N items: `items.idx` is (B, N)."""

    @abstractmethod
    def score_catalogue(self, users: UserSide, items: ItemSide) -> Tensor:
        """Scores (B, I) of the same I items for all users: `items.idx` is (I,)."""
