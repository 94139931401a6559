"""Checks of a splitter's parameters and data."""

from __future__ import annotations

from typing import Any

from recsys.data.dataset import Dataset
from recsys.schema import ConfigError

SPLIT_SEEDS = 2**32


def check_seed(seed: Any) -> int:
    """A whole number from 0 to 2³² - 1.

    Raises:
        ConfigError: Naming `split.seed`.
    """
    if not _is_whole(seed) or not 0 <= seed < SPLIT_SEEDS:
        raise ConfigError(f"split.seed is {seed!r}; expected a whole number of at least 0 and below 2**32.")
    return seed


def check_count(key: str, value: Any) -> int | None:
    """A whole number of at least 1, or None.

    Raises:
        ConfigError: Naming the key.
    """
    if value is not None and (not _is_whole(value) or value < 1):
        raise ConfigError(f"{key} is {value!r}; expected a whole number of at least 1, or null.")
    return value


def check_min_rating(value: Any) -> float | None:
    """A number, or None.

    Raises:
        ConfigError: Naming `split.min_rating`.
    """
    if value is not None and (not _is_number(value) or value != value):
        raise ConfigError(f"split.min_rating is {value!r}; expected a number on the scale of the ratings, or null.")
    return value


def check_shares(test_share: Any, validation_share: Any) -> None:
    """A share for the test and one for the validation, which may be 0, that leave train interactions.

    Raises:
        ConfigError: Naming the keys.
    """
    check_positive_share("split.test_share", test_share)
    if not _is_number(validation_share) or not 0 <= validation_share < 1:
        raise ConfigError(
            f"split.validation_share is {validation_share!r}; expected a share of at least 0 and below 1."
        )
    if test_share + validation_share >= 1:
        raise ConfigError(
            f"split.test_share={test_share:g} and split.validation_share={validation_share:g} leave nothing to train "
            "on; expected shares that sum to less than 1."
        )


def check_positive_share(key: str, share: Any) -> float:
    """A share above 0 and below 1.

    Raises:
        ConfigError: Naming the key.
    """
    if not _is_number(share) or not 0 < share < 1:
        raise ConfigError(f"{key} is {share!r}; expected a share above 0 and below 1.")
    return share


def check_timestamps(dataset: Dataset, name: str) -> None:
    """Raise an error for a temporal strategy on data without times.

    Raises:
        ConfigError: Saying what to use.
    """
    if not dataset.has_timestamps:
        raise ConfigError(
            f"split={name} needs timestamps, and {dataset.name} has none: use split=random, split=cold_items or "
            "split=cold_users, or name the column that has the time (data.interactions.timestamp of data=table)."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
