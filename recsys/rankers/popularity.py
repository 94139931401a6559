"""The most popular items of the train part, the same for all users."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recsys.rankers.base import Fittable, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import MICROSECONDS, DataError, ModelContext, TrainInteractions
from recsys.support.number_checks import check_number

DAY = 86_400 * MICROSECONDS


class PopularityRanker(Ranker, Fittable):
    """score(u, i) = Σ 2^(−age / half_life_days) over the train interactions of i; their number without a half-life.

    Ages are counted from the newest train interaction; with `window_days` only younger interactions count. On recent
    popularity see Ji et al., "A Re-visit of the Popularity Baseline in Recommender Systems", SIGIR 2020.

    Args:
        context: Sizes of the data and train counts.
        half_life_days: After how many days an interaction counts half; None for no decay.
        window_days: Only interactions younger than this count; None for all.

    Raises:
        ConfigError: If a number of days is not positive.
        DataError: From `fit`, if a number of days is set and the data has no times.
    """

    counts: Tensor

    def __init__(
        self, context: ModelContext, half_life_days: float | None = None, window_days: float | None = None
    ) -> None:
        super().__init__()
        for key, value in {"half_life_days": half_life_days, "window_days": window_days}.items():
            check_number(f"ranker.{key}", value, above=0, optional=True)
        self.half_life_days, self.window_days = half_life_days, window_days
        self.register_buffer("counts", context.item_counts.float())

    def fit(self, train: TrainInteractions) -> None:
        if self.half_life_days is None and self.window_days is None:
            return
        if train.timestamps is None:
            key = "window_days" if self.half_life_days is None else "half_life_days"
            raise DataError(
                f"ranker.{key} is {getattr(self, key)}, but the data has no times: name their column "
                f"(data.interactions.timestamp), or leave {key} out."
            )
        days = (train.timestamps.max() - train.timestamps) / DAY
        weights = np.ones(len(days)) if self.half_life_days is None else np.exp2(-days / self.half_life_days)
        if self.window_days is not None:
            weights = weights * (days < self.window_days)
        self.counts = torch.from_numpy(np.bincount(train.items, weights, train.n_items)).float()

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        return self.counts[items.idx]

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self.counts[items.idx].expand(len(users.batch.idx), -1)
