"""The split that is given in the data."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.split import TEST_PART, TRAIN_PART, VALIDATION_PART, Split
from recsys.schema import ConfigError

PARTS = {schema.TRAIN: TRAIN_PART, schema.VAL: VALIDATION_PART, schema.TEST: TEST_PART}


class GivenSplitter(Splitter):
    """The split in the column `part` (train, val or test) of MIND, and of `data=table` if it has this column."""

    name = "given"
    takes_impressions = True

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """The part that the column names."""
        return self._parts(interactions, dataset)

    def place_low_rated(self, low_rated: pl.DataFrame, split: Split) -> NDArray[np.int8]:
        """The part that the column names."""
        return self._parts(low_rated, split.dataset)

    def _parts(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        if schema.PART not in interactions.columns:
            raise ConfigError(
                f"split=given needs data that brings its own split, in a column {schema.PART!r}, and {dataset.name} "
                "has none: name the column (data.interactions.part of data=table), or use split=user_temporal, or "
                "split=random for data without time."
            )
        parts = interactions[schema.PART].cast(pl.String).fill_null("nothing")
        unknown = parts.filter(~parts.is_in(list(PARTS)))
        if len(unknown):
            raise ConfigError(
                f"the column {schema.PART!r} of {dataset.name} has {unknown[0]!r}; expected train, val or test."
            )
        return parts.replace_strict(PARTS, return_dtype=pl.Int8).to_numpy()
