"""What a split is, and what every splitter does: filter, assign each interaction to a part, fingerprint."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset

TRAIN_PART, VALIDATION_PART, TEST_PART, FOLD_IN_PART = 0, 1, 2, 3


@dataclass(frozen=True)
class Split:
    """Disjoint parts of a data set's interactions; together they are all of them.

    Attributes:
        dataset: The data set after the splitter's filters, with indices of its own.
        train: The only part that anything is fitted on.
        validation: Positives of validation: early stopping and tuning.
        test: Positives of the test.
        fold_in: What is known of held-out users when they are served (cold_users); empty elsewhere.
        name: The strategy's name.
        fingerprint: A hash of the data's fingerprint, the strategy and all of its parameters.
        statistics: Sizes, cold shares, the share of tied cuts, and what each filter dropped.
        warnings: Sentences that every report repeats, such as one on a test part that is too small.
    """

    dataset: Dataset
    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    fold_in: pl.DataFrame
    name: str
    fingerprint: str
    statistics: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def targets(self, stage: str) -> pl.DataFrame:
        """The interactions to be predicted in a stage (`schema.VAL` or `schema.TEST`)."""
        return {schema.TRAIN: self.train, schema.VAL: self.validation, schema.TEST: self.test}[stage]

    def known(self, stage: str) -> pl.DataFrame:
        """The interactions that a system knows when it serves a stage: histories are made of them, and they are not
        recommended again. In the test, the validation part is known: it has happened, though nothing is fitted on it."""
        if stage == schema.TEST:
            return pl.concat([self.train, self.validation, self.fold_in])
        return pl.concat([self.train, self.fold_in]) if stage == schema.VAL else self.train

    @cached_property
    def item_counts(self) -> NDArray[np.int64]:
        """(n_items,) the number of train interactions of each item."""
        return np.bincount(self.train[schema.ITEM].to_numpy(), minlength=self.dataset.n_items)

    @cached_property
    def warm_items(self) -> NDArray[np.bool_]:
        """(n_items,) whether an item has a train interaction."""
        return self.item_counts > 0

    @cached_property
    def warm_users(self) -> NDArray[np.bool_]:
        """(n_users,) whether a user has a train interaction."""
        return np.bincount(self.train[schema.USER].to_numpy(), minlength=self.dataset.n_users) > 0
