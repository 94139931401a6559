"""Each user's last interaction is the test, the one before it the validation."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import Splitter
from recsys.data.splits.parameter_checks import check_timestamps
from recsys.data.splits.split import TEST_PART, TRAIN_PART, VALIDATION_PART
from recsys.data.splits.ties import place_in_user


class LeaveLastOutSplitter(Splitter):
    """The last interaction of a user is the test and the one before it the validation.

    A user with two interactions has no validation, a user with one interaction no test.
    """

    name = "leave_last_out"
    cuts_follow_time = True

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) the part, by the position from the end of each user's history."""
        check_timestamps(dataset, self.name)
        place, size = place_in_user(interactions[schema.USER].to_numpy())
        from_end = size - place
        part = np.where((from_end == 1) & (size > 1), TEST_PART, TRAIN_PART)
        return np.where((from_end == 2) & (size > 2), VALIDATION_PART, part).astype(np.int8)
