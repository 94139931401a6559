"""Cold users: some users are held out of training, and a part of their history is their fold-in."""

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
from recsys.data.splits.split import FOLD_IN_PART, TRAIN_PART
from recsys.data.splits.ties import id_hashes, place_in_user
from recsys.support.number_checks import check_number


class ColdUsersSplitter(Splitter):
    """Holds out `test_share` of the users for the test and `validation_share` of them for validation.

    Of each held-out user's interactions the oldest `fold_in_share` (drawn by the seed without timestamps) are known
    when the user is served, the rest are the positives: strong generalisation as in Liang et al. (2018), Variational
    Autoencoders for Collaborative Filtering, WWW. The known number is rounded to the nearest integer (a half to the
    even one) and at least 1. The newest interaction is a positive if a user has more than one.
    """

    name = "cold_users"
    cuts_follow_time = True

    def __init__(
        self, test_share: float = 0.2, validation_share: float = 0.1, fold_in_share: float = 0.8, **filters: Any
    ) -> None:
        super().__init__(**filters)
        check_shares(test_share, validation_share)
        self.test_share, self.validation_share = test_share, validation_share
        check_number("split.fold_in_share", fold_in_share, above=0, below=1)
        self.fold_in_share = fold_in_share

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) train; or, for held-out users, fold-in and the user's part."""
        users = interactions[schema.USER].to_numpy()
        hashes = id_hashes(dataset.users[schema.USER_ID], self.seed)
        part = held_out_parts(users, hashes, self.test_share, self.validation_share)[users]
        place, size = place_in_user(users)
        n_known = np.maximum(np.minimum(np.rint(size * self.fold_in_share), size - 1), 1)
        return np.where((part != TRAIN_PART) & (place < n_known), FOLD_IN_PART, part).astype(np.int8)
