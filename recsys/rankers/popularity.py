"""The most popular items of the train part, the same for all users."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recsys.rankers.base import Fittable, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import MICROSECONDS, ConfigError, DataError, ModelContext, TrainInteractions

DAY = 86_400 * MICROSECONDS


class PopularityRanker(Ranker, Fittable):
    """score(u, i) = Σ 2^(−age / half_life_days) over the train interactions of i; their number without a half-life.

    Ages are counted from the newest train interaction. Ji et al., "A Re-visit of the Popularity Baseline in Recommender
    Systems", SIGIR 2020, on why the recent ones predict better.

    Args:
        context: Sizes of the data and train counts.
        half_life_days: After how many days an interaction counts half; None for no decay.

    Raises:
        ConfigError: If the half-life is not positive.
    """

    counts: Tensor

    def __init__(self, context: ModelContext, half_life_days: float | None = None) -> None:
        super().__init__()
        if half_life_days is not None and half_life_days <= 0:
            raise ConfigError(f"ranker.half_life_days is {half_life_days}; expected a positive number, or null.")
        self.half_life_days = half_life_days
        self.register_buffer("counts", context.item_counts.float())

    def fit(self, train: TrainInteractions) -> None:
        if self.half_life_days is None:
            return
        if train.timestamps is None:
            raise DataError(
                f"ranker.half_life_days is {self.half_life_days}, but the data has no times: name their column "
                "(data.interactions.timestamp), or leave the half-life out."
            )
        days = (train.timestamps.max() - train.timestamps) / DAY
        decayed = np.bincount(train.items, np.exp2(-days / self.half_life_days), train.n_items)
        self.counts = torch.from_numpy(decayed).float()

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        return self.counts[items.idx]

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self.counts[items.idx].expand(len(users.batch.idx), -1)
