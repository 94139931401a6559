"""All interactions of a share of the items are held out: cold items."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.held_out import held_out_parts
from recsys.data.splits.parameter_checks import check_shares
from recsys.data.splits.split import TEST_PART, TRAIN_PART, VALIDATION_PART, Split
from recsys.data.splits.ties import id_hashes


class ColdItemsSplitter(Splitter):
    """Holds out all interactions of `test_share` of the items for the test, of `validation_share` for validation.

    Shares are of the items that have interactions.
    """

    name = "cold_items"

    def __init__(self, test_share: float = 0.2, validation_share: float = 0.1, **filters: Any) -> None:
        super().__init__(**filters)
        check_shares(test_share, validation_share)
        self.test_share, self.validation_share = test_share, validation_share

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) the part of each interaction's item."""
        items = interactions[schema.ITEM].to_numpy()
        hashes = id_hashes(dataset.items[schema.ITEM_ID], self.seed)
        return held_out_parts(items, hashes, self.test_share, self.validation_share)[items]

    def warnings(self, split: Split) -> list[str]:
        """Those of every split, and that the users whom a test is over have the same cold items."""
        n_items = split.test[schema.ITEM].n_unique()
        return [
            *super().warnings(split),
            f"split={self.name} {schema.ONE_DRAW} {n_items:,} cold items: intervals and tests are over users, and do "
            "not cover other items. study.draws=[0,1,2,3,4] makes a study compare over several draws.",
        ]

    def place_low_rated(self, low_rated: pl.DataFrame, split: Split) -> NDArray[np.int8]:
        """The part of the item: all interactions of a held-out item are held out."""
        items = low_rated[schema.ITEM].to_numpy()
        held_out = [(VALIDATION_PART, split.validation), (TEST_PART, split.test)]
        part = np.full(split.dataset.n_items, TRAIN_PART, dtype=np.int8)
        for number, targets in held_out:
            part[targets[schema.ITEM].to_numpy()] = number
        return part[items]
