"""Checks of a splitter's parameters and data."""

from __future__ import annotations

from typing import Any

from recsys.data.dataset import Dataset
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number

SPLIT_SEEDS = 2**32


def check_shares(test_share: Any, validation_share: Any) -> None:
    """Raise an error for shares that leave nothing to train on or to test; the validation share may be 0.

    Raises:
        ConfigError: With the keys and their values.
    """
    check_number("split.test_share", test_share, above=0, below=1)
    check_number("split.validation_share", validation_share, at_least=0, below=1)
    if test_share + validation_share >= 1:
        raise ConfigError(
            f"split.test_share={test_share:g} and split.validation_share={validation_share:g} leave nothing to train "
            "on; expected shares that sum to less than 1."
        )


def check_timestamps(dataset: Dataset, name: str) -> None:
    """Raise an error for a temporal strategy on data without times.

    Raises:
        ConfigError: With the splits that need no timestamps.
    """
    if not dataset.has_timestamps:
        raise ConfigError(
            f"split={name} needs timestamps, and {dataset.name} has none: use split=random, split=cold_items or "
            "split=cold_users, or name the column that has the time (data.interactions.timestamp of data=table)."
        )
