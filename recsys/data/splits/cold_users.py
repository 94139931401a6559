"""Users are held out whole, and served from a part of their history that nothing was fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.base import FOLD_IN_PART, TRAIN_PART, Splitter, check_shares
from recsys.data.splits.held_out import held_out_parts
from recsys.data.splits.ties import id_hashes, place_in_user
from recsys.schema import ConfigError


class ColdUsersSplitter(Splitter):
    """`test_share` of the users are the test's, `validation_share` others the validation's.

    Of each held-out user's interactions the oldest `fold_in_share` (drawn by the seed where there is no time) are known
    when the user is served, the rest is to be found: strong generalisation as in Liang et al., "Variational Autoencoders
    for Collaborative Filtering", WWW 2018.
    """

    name = "cold_users"

    def __init__(
        self, test_share: float = 0.2, validation_share: float = 0.1, fold_in_share: float = 0.8, **filters: Any
    ) -> None:
        super().__init__(**filters)
        check_shares(test_share=test_share, validation_share=validation_share)
        if not 0 <= fold_in_share < 1:
            raise ConfigError(f"split.fold_in_share is {fold_in_share}; expected a share of at least 0 and below 1.")
        self.test_share, self.validation_share, self.fold_in_share = test_share, validation_share, fold_in_share

    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        users = interactions[schema.USER].to_numpy()
        hashes = id_hashes(dataset.users[schema.USER_ID])
        part = held_out_parts(users, hashes, self.seed, self.test_share, self.validation_share)[users]
        place, size = place_in_user(users)
        known = place < np.minimum(np.rint(size * self.fold_in_share), size - 1)
        return np.where((part != TRAIN_PART) & known, FOLD_IN_PART, part).astype(np.int8)
