"""The most popular items of the train part, the same for everybody: the floor of every comparison."""

from __future__ import annotations

from torch import Tensor

from recsys.rankers.base import ItemSide, Ranker, UserSide
from recsys.schema import ModelContext


class PopularityRanker(Ranker):
    """score(u, i) = the number of train interactions of i; nothing is learnt by descent."""

    counts: Tensor

    def __init__(self, context: ModelContext) -> None:
        super().__init__()
        self.register_buffer("counts", context.item_counts.float())

    def score(self, users: UserSide, items: ItemSide) -> Tensor:
        return self.counts[items.idx]

    def score_catalogue(self, users: UserSide, items: ItemSide) -> Tensor:
        return self.counts[items.idx].expand(len(users.batch.idx), -1)
