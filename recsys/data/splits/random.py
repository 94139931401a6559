"""A random share of each user's interactions is held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.parameter_checks import SPLIT_SEEDS, check_shares
from recsys.data.splits.ties import pair_hash, user_order
from recsys.data.splits.user_temporal import newest_shares


class RandomSplitter(Splitter):
    """`test_share` and `validation_share` of each user's interactions, drawn by the seed.

    Both are shares of all interactions of the user, so that 0.2 and 0 are "80/20".
    They are rounded as in `UserTemporalSplitter`.
    """

    name = "random"

    def __init__(self, test_share: float = 0.2, validation_share: float = 0.1, **filters: Any) -> None:
        super().__init__(**filters)
        check_shares(test_share, validation_share)
        self.test_share, self.validation_share = test_share, validation_share

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) the part, by the position from the end of each user's interactions in the order of a hash."""
        users, items = interactions[schema.USER].to_numpy(), interactions[schema.ITEM].to_numpy()
        # Another seed than for equal timestamps, so that the draw is independent of their order.
        order = user_order(users, None, pair_hash(dataset, users, items, self.seed + SPLIT_SEEDS))
        part = np.empty(len(users), dtype=np.int8)
        part[order] = newest_shares(users[order], self.test_share, self.validation_share)
        return part
