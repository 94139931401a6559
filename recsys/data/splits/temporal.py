"""One cut in time for all users: nothing in train is later than anything in the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.parameter_checks import check_shares, check_timestamps
from recsys.data.splits.split import TEST_PART, TRAIN_PART, VALIDATION_PART, Split
from recsys.schema import ConfigError


class TemporalSplitter(Splitter):
    """Interactions from `test_from` on are the test, those from `validation_from` on until then the validation.

    Without dates, the cuts are where the newest `test_share` and `validation_share` of all interactions begin. Equal
    timestamps at a cut go to the later part together, so each part is as large as asked or a little larger.
    """

    name = "temporal"
    cuts_follow_time = True

    def __init__(
        self,
        test_share: float = 0.2,
        validation_share: float = 0.1,
        test_from: str | None = None,
        validation_from: str | None = None,
        **filters: Any,
    ) -> None:
        super().__init__(**filters)
        check_shares(test_share, validation_share)
        self.test_share, self.validation_share = test_share, validation_share
        self.test_from = _timestamp("split.test_from", test_from)
        self.validation_from = _timestamp("split.validation_from", validation_from)
        if (test_from is None) != (validation_from is None):
            raise ConfigError("split.test_from and split.validation_from go together: give both dates or neither.")
        if self.test_from is not None and self.validation_from is not None and self.validation_from > self.test_from:
            raise ConfigError(f"split.validation_from ({validation_from}) is after split.test_from ({test_from}).")

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """By time alone."""
        check_timestamps(dataset, self.name)
        times = interactions[schema.TIMESTAMP].to_numpy()
        validation_from, test_from = self._cuts(times)
        part = np.where(times >= test_from, TEST_PART, np.where(times >= validation_from, VALIDATION_PART, TRAIN_PART))
        return part.astype(np.int8)

    def place_low_rated(self, low_rated: pl.DataFrame, split: Split) -> NDArray[np.int8]:
        """By the cuts that are the same for everybody."""
        part = np.full(low_rated.height, TRAIN_PART, dtype=np.int8)
        for number, targets in ((VALIDATION_PART, split.validation), (TEST_PART, split.test)):
            if targets.height:
                part[(low_rated[schema.TIMESTAMP] >= targets[schema.TIMESTAMP].min()).to_numpy()] = number
        return part

    def _cuts(self, times: NDArray[np.int64]) -> tuple[int, int]:
        if self.test_from is not None and self.validation_from is not None:
            return self.validation_from, self.test_from
        n_test = round(len(times) * self.test_share)
        n_held_out = n_test + round(len(times) * self.validation_share)
        return _start_of_newest(times, n_held_out), _start_of_newest(times, n_test)


def _start_of_newest(times: NDArray[np.int64], n: int) -> int:
    """The time of the oldest of the newest `n`; later than all if `n` is 0."""
    return int(np.partition(times, len(times) - n)[len(times) - n]) if n else int(times.max()) + 1


def _timestamp(key: str, date: str | None) -> int | None:
    """An ISO date as microseconds since 1970; UTC unless it names a time zone."""
    if date is None:
        return None
    try:
        moment = datetime.fromisoformat(str(date))
    except ValueError:
        raise ConfigError(
            f"{key} is {date!r}; expected an ISO date such as 2015-07-01 or 2015-07-01T12:00:00."
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
