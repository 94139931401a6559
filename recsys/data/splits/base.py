"""What a split is, and what every splitter does: filter, assign each interaction to a part, fingerprint."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.filters import filter_interactions
from recsys.data.splits.ties import TIE_RULE, ordered, tied_cuts
from recsys.schema import ConfigError

TRAIN_PART, VALIDATION_PART, TEST_PART, FOLD_IN_PART = 0, 1, 2, 3
MIN_WARM_USERS, MIN_TEST_PAIRS = 100, 1000


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


class Splitter(ABC):
    """Filters a data set and assigns each interaction to a part.

    Args:
        seed: Of whatever a strategy draws, and of the order of equal timestamps.
        min_rating: Interactions with a lower value are dropped: they are no positives. None keeps all.
        user_k_core: Users with fewer interactions are dropped, until all have as many. None keeps all.
        item_k_core: The same for items; items without any interaction are dropped too then.
    """

    name: str

    def __init__(
        self,
        seed: int = 0,
        min_rating: float | None = None,
        user_k_core: int | None = None,
        item_k_core: int | None = None,
    ) -> None:
        self.seed = seed
        self.min_rating = min_rating
        self.user_k_core = check_count("split.user_k_core", user_k_core)
        self.item_k_core = check_count("split.item_k_core", item_k_core)

    @abstractmethod
    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """The part of each interaction; they come ordered by user, then time, then tie."""

    def identity(self) -> dict[str, Any]:
        """All parameters, as plain values."""
        return {"split": self.name, "tie_rule": TIE_RULE, **vars(self)}

    def split(self, dataset: Dataset) -> Split:
        """The parts of a data set.

        Raises:
            ConfigError: If the strategy cannot be applied to this data, or nothing is left to train on or to test.
        """
        self._check_impressions(dataset)
        kept, dropped = filter_interactions(dataset, self.min_rating, self.user_k_core, self.item_k_core)
        interactions = ordered(kept, self.seed)
        part = self.assign(interactions, kept)
        parts = [interactions.filter(pl.Series(part == number)) for number in range(4)]
        split = Split(
            kept,
            *parts,
            name=self.name,
            fingerprint=self._fingerprint(dataset),
            statistics={"dropped": {**dataset.dropped, **dropped}, "tied_cuts": tied_cuts(interactions, part)},
        )
        if split.train.is_empty() or split.test.is_empty():
            raise ConfigError(
                f"split={self.name} leaves {split.train.height} train and {split.test.height} test interactions of "
                f"{interactions.height}: change its shares, or the filters split.min_rating and split.*_k_core."
            )
        return replace(split, warnings=small_test_warnings(split))

    def _check_impressions(self, dataset: Dataset) -> None:
        filters = (self.min_rating, self.user_k_core, self.item_k_core)
        if dataset.impressions is not None and (self.name != "given" or any(value is not None for value in filters)):
            raise ConfigError(
                f"{dataset.name} has impressions, which bring their own split: use split=given, with no filters, "
                f"not split={self.name}."
            )

    def _fingerprint(self, dataset: Dataset) -> str:
        content = json.dumps([dataset.fingerprint, self.identity()], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def check_count(key: str, value: int | None) -> int | None:
    """A number of at least 1, or None.

    Raises:
        ConfigError: Naming the key.
    """
    if value is not None and value < 1:
        raise ConfigError(f"{key} is {value}; expected 1 or more, or null.")
    return value


def check_shares(**shares: float) -> None:
    """Shares between 0 and 1 that leave something to train on.

    Raises:
        ConfigError: Naming the keys.
    """
    for key, share in shares.items():
        if not 0 <= share < 1:
            raise ConfigError(f"split.{key} is {share}; expected a share of at least 0 and below 1.")
    if sum(shares.values()) >= 1:
        keys = " and ".join(f"split.{key}" for key in shares)
        raise ConfigError(f"{keys} sum to {sum(shares.values()):g}, which leaves nothing to train on; expected less than 1.")


def check_timestamps(dataset: Dataset, name: str) -> None:
    """Refuse a temporal strategy on data without time.

    Raises:
        ConfigError: Saying what to use.
    """
    if not dataset.has_timestamps:
        raise ConfigError(
            f"split={name} needs timestamps, and {dataset.name} has none: use split=random, split=cold_items or "
            "split=cold_users, or give data.timestamp_column if the data has one."
        )


def small_test_warnings(split: Split) -> list[str]:
    """What every report says of a test that is too small to tell much."""
    known = split.known(schema.TEST)[schema.USER].unique()
    users = split.test[schema.USER].unique()
    warm = users.is_in(known.implode()).sum()
    if warm >= MIN_WARM_USERS and split.test.height >= MIN_TEST_PAIRS:
        return []
    return [
        f"split={split.name} leaves {split.test.height:,} test interactions of {len(users):,} users, of whom {warm:,} have "
        f"any history: fewer than {MIN_TEST_PAIRS:,} interactions or {MIN_WARM_USERS} users with a history tell little."
    ]
