"""Each user's newest interactions are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.parameter_checks import check_shares, check_timestamps
from recsys.data.splits.split import TEST_PART, TRAIN_PART, VALIDATION_PART
from recsys.data.splits.ties import place_in_user


class UserTemporalSplitter(Splitter):
    """Each user's newest `test_share` is the test, the next newest `validation_share` the validation.

    The numbers of interactions are rounded to the nearest integer (a half to the even one). The oldest interaction
    always stays in train, so that every user has a history.
    """

    name = "user_temporal"
    cuts_follow_time = True

    def __init__(self, test_share: float = 0.2, validation_share: float = 0.1, **filters: Any) -> None:
        super().__init__(**filters)
        check_shares(test_share, validation_share)
        self.test_share, self.validation_share = test_share, validation_share

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) the part, by the position from the end of each user's history."""
        check_timestamps(dataset, self.name)
        return newest_shares(interactions[schema.USER].to_numpy(), self.test_share, self.validation_share)


def newest_shares(users: NDArray[Any], test_share: float, validation_share: float) -> NDArray[np.int8]:
    """(n,) the part of each interaction if each user's last ones are held out; `users` (n,) are sorted.

    Example:
        >>> newest_shares(np.array([7, 7, 7, 7, 7, 8]), 0.2, 0.2)
        array([0, 0, 0, 1, 2, 0], dtype=int8)
    """
    place, size = place_in_user(users)
    n_test = np.minimum(np.rint(size * test_share), size - 1)
    n_validation = np.minimum(np.rint(size * validation_share), size - 1 - n_test)
    from_end = size - place
    part = np.where(from_end <= n_test + n_validation, VALIDATION_PART, TRAIN_PART)
    return np.where(from_end <= n_test, TEST_PART, part).astype(np.int8)
