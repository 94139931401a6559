"""One cut in time for all users: nothing in train is later than anything in the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.parameter_checks import check_shares, check_timestamps
from recsys.data.splits.split import EARLIER, LATER, TEST_PART, TRAIN_PART, VALIDATION_PART, Split
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number

_ENDS = ("train_from", "test_until")


class TemporalSplitter(Splitter):
    """Interactions from `test_from` on are the test, those between `validation_from` and `test_from` the validation.

    A moment is an ISO date, or a share: the time before which this share of all interactions happened. Interactions
    before `train_from`, and those from `test_until` on, are in no part; items that first appear from `test_until` on
    are no candidates. Without moments, the cuts are where the newest `test_share` and `validation_share` of all
    interactions begin. Equal timestamps at a cut go to the later part together, so the shares hold only approximately.

    Args:
        test_share: Share of all interactions, the newest; ignored with moments.
        validation_share: Share of all interactions, the next newest; ignored with moments.
        test_from: The moment that begins the test.
        validation_from: The moment that begins the validation.
        train_from: The moment that begins train; None for all earlier interactions.
        test_until: The moment that ends the test; None for all later interactions.
        **filters: The parameters of `Splitter`.

    Raises:
        ConfigError: If a parameter is impossible, or the moments are not in order.
    """

    name = "temporal"
    cuts_follow_time = True

    def __init__(
        self,
        test_share: float = 0.2,
        validation_share: float = 0.1,
        test_from: str | float | None = None,
        validation_from: str | float | None = None,
        train_from: str | float | None = None,
        test_until: str | float | None = None,
        **filters: Any,
    ) -> None:
        super().__init__(**filters)
        check_shares(test_share, validation_share)
        self.test_share, self.validation_share = test_share, validation_share
        self.test_from = _moment("split.test_from", test_from)
        self.validation_from = _moment("split.validation_from", validation_from)
        if (test_from is None) != (validation_from is None):
            raise ConfigError("split.test_from and split.validation_from go together: give both or neither.")
        if self.test_from is None and (train_from is not None or test_until is not None):
            raise ConfigError("split.train_from and split.test_until need split.test_from and split.validation_from.")
        given = {"train_from": train_from, "validation_from": validation_from}
        given |= {"test_from": test_from, "test_until": test_until}
        _check_order(given)
        self.train_from = _moment("split.train_from", train_from)
        self.test_until = _moment("split.test_until", test_until)

    def identity(self) -> dict[str, Any]:
        """All parameters; unset ends of the period are left out, which keeps the fingerprints of older splits."""
        given = {key: value for key, value in super().identity().items() if key not in _ENDS or value is not None}
        return {**given, "later_items": "dropped"} if "test_until" in given else given

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) the part, by time alone."""
        check_timestamps(dataset, self.name)
        times = interactions[schema.TIMESTAMP].to_numpy()
        validation_from, test_from = self._cuts(times)
        part = np.where(times >= test_from, TEST_PART, np.where(times >= validation_from, VALIDATION_PART, TRAIN_PART))
        if self.train_from is not None:
            part[times < _time(self.train_from, times)] = EARLIER
        if self.test_until is not None:
            part[times >= _time(self.test_until, times)] = LATER
        return part.astype(np.int8)

    def place_low_rated(self, low_rated: pl.DataFrame, split: Split) -> NDArray[np.int8]:
        """(n,) the part, by the same cuts for all users."""
        part = np.full(low_rated.height, TRAIN_PART, dtype=np.int8)
        for number, targets in ((VALIDATION_PART, split.validation), (TEST_PART, split.test)):
            if targets.height:
                part[(low_rated[schema.TIMESTAMP] >= targets[schema.TIMESTAMP].min()).to_numpy()] = number
        return part

    def is_later(self, frame: pl.DataFrame, interactions: pl.DataFrame) -> NDArray[np.bool_]:
        """(n,) whether each row is from `test_until` on."""
        if self.test_until is None:
            return super().is_later(frame, interactions)
        end = _time(self.test_until, interactions[schema.TIMESTAMP].to_numpy())
        return (frame[schema.TIMESTAMP] >= end).to_numpy()

    def _cuts(self, times: NDArray[np.int64]) -> tuple[int, int]:
        if self.test_from is not None and self.validation_from is not None:
            return _time(self.validation_from, times), _time(self.test_from, times)
        n_test = round(len(times) * self.test_share)
        n_held_out = n_test + round(len(times) * self.validation_share)
        return _start_of_newest(times, n_held_out), _start_of_newest(times, n_test)


def _start_of_newest(times: NDArray[np.int64], n: int) -> int:
    """The time of the oldest of the newest `n` interactions; later than all if `n` is 0."""
    return int(np.partition(times, len(times) - n)[len(times) - n]) if n else int(times.max()) + 1


def _time(moment: int | float, times: NDArray[np.int64]) -> int:
    """The time of a moment: itself, or where a share of all interactions ends."""
    return moment if isinstance(moment, int) else _start_of_newest(times, len(times) - round(len(times) * moment))


def _check_order(moments: dict[str, str | float | None]) -> None:
    """Raise an error unless moments of one kind are in the order in which they are given."""
    given = [(key, value, _moment(f"split.{key}", value)) for key, value in moments.items() if value is not None]
    for (earlier, first, begin), (later, second, end) in pairwise(given):
        assert begin is not None
        assert end is not None
        if isinstance(begin, int) is not isinstance(end, int):
            raise ConfigError(f"split.{earlier}={first} and split.{later}={second}: give two dates or two shares.")
        if begin > end:
            raise ConfigError(f"split.{earlier} ({first}) is after split.{later} ({second}).")


def _moment(key: str, moment: str | float | None) -> int | float | None:
    """A share unchanged; an ISO date as microseconds since 1970, in UTC unless it names a time zone."""
    if moment is None:
        return None
    if isinstance(moment, float):
        check_number(key, moment, above=0, below=1, reason=", or an ISO date")
        return moment
    try:
        date = datetime.fromisoformat(str(moment))
    except ValueError:
        raise ConfigError(
            f"{key} is {moment!r}; expected an ISO date such as 2015-07-01 or 2015-07-01T12:00:00, or a share such as "
            "0.8."
        ) from None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return (date - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
