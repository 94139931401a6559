"""What a split is, and what every splitter does: filter, assign each interaction to a part, fingerprint."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.filters import filter_interactions
from recsys.data.sources.templates import render, require_fields
from recsys.data.splits.parameter_checks import check_count, check_min_rating, check_seed
from recsys.data.splits.ties import TIE_RULE, ordered, tied_cuts
from recsys.schema import ALL, REFIT, ConfigError

PARTS = TRAIN_PART, VALIDATION_PART, TEST_PART, FOLD_IN_PART = 0, 1, 2, 3
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
        withheld: Train interactions that nothing learns from (see `subsample_train`), though they are known when
            users are served, and evaluation is as it would be without; None for none.
        low_rated: Interactions below the rating threshold, with the `part` (a number of PARTS) from which on they are
            known: their items are not recommended again. None without a threshold.
        data_texts: The data's own item texts if models read others (see `reading`): diversity is measured on these.
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
    withheld: pl.DataFrame | None = None
    low_rated: pl.DataFrame | None = None
    data_texts: list[str] | None = None

    def targets(self, stage: str) -> pl.DataFrame:
        """The interactions to be predicted in a stage (`schema.VAL` or `schema.TEST`)."""
        return {schema.TRAIN: self.train, schema.VAL: self.validation, schema.TEST: self.test}[stage]

    def known(self, stage: str) -> pl.DataFrame:
        """The interactions that histories are made of in a stage: the train part, and the fold-in of held-out users.

        The validation part is in no history of the test, so that models with and without histories know the same. It
        is known after `refit`.
        """
        return self.train if stage == schema.TRAIN else pl.concat([self.whole.train, self.fold_in])

    def masked(self, stage: str) -> pl.DataFrame:
        """The `user` and `item` pairs that are no candidates in a stage, since they happened before it."""
        pairs = self.before(stage).select(schema.USER, schema.ITEM)
        if self.low_rated is None:
            return pairs
        parts = [TRAIN_PART, VALIDATION_PART] if stage == schema.TEST else [TRAIN_PART]
        low_rated = self.low_rated.filter(pl.col(schema.PART).is_in(parts))
        return pl.concat([pairs, low_rated.select(schema.USER, schema.ITEM)])

    def before(self, stage: str) -> pl.DataFrame:
        """The interactions that happened before a stage, whether models know them or not."""
        return pl.concat([self.known(stage), self.validation]) if stage == schema.TEST else self.known(stage)

    def refit(self, on: str = REFIT) -> Split:
        """The split that a chosen setting is fitted on once more: its train part is larger and nothing is validated.

        Args:
            on: REFIT for train and validation: users of the validation part bring their fold-in along, and those of
                the test keep theirs. ALL for every interaction, with nothing left to test.

        Raises:
            ConfigError: If train interactions are withheld: a share is drawn from the refitted split.
        """
        if self.withheld is not None:
            raise ConfigError("a split is refitted before a share of its train part is drawn.")
        if on == ALL:
            held_out, fold_in = [self.validation, self.test, self.fold_in], self.fold_in.clear()
        else:
            is_validated = pl.col(schema.USER).is_in(self.validation[schema.USER].unique().implode())
            is_tested = pl.col(schema.USER).is_in(self.test[schema.USER].unique().implode())
            moves = is_validated & ~is_tested
            held_out, fold_in = [self.validation, self.fold_in.filter(moves)], self.fold_in.filter(~moves)
        none = self.validation.clear()
        return replace(
            self,
            dataset=_refit_impressions(self.dataset, on),
            train=_in_order(pl.concat([self.train, *held_out])),
            validation=none,
            test=none if on == ALL else self.test,
            fold_in=fold_in,
        )

    @property
    def whole(self) -> Split:
        """The split with nothing withheld: evaluation looks at this one, so that it is the same for all runs."""
        return self if self.withheld is None else self._whole  # a cached `self` would keep itself alive

    @cached_property
    def _whole(self) -> Split:
        assert self.withheld is not None
        return replace(self, train=pl.concat([self.train, self.withheld]), withheld=None)

    def subsample_train(self, share: float = 1.0, per_user: int | None = None) -> Split:
        """The split with a random share of its train interactions to learn from, and at most `per_user` of each user.

        Both are drawn from one order, so that a smaller sample is a subset of a larger one.

        Raises:
            ConfigError: If the share is not in (0, 1], `per_user` is below 1, or the data has impressions.
        """
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise ConfigError(f"train_share is {share!r}; expected a number above 0 and at most 1.")
        check_count("train_per_user", per_user)
        if share == 1 and per_user is None:
            return self
        if self.dataset.impressions is not None:
            raise ConfigError(
                f"train_share={share} train_per_user={per_user} do not go with the impressions of "
                f"{self.dataset.name}: use 1 and null."
            )
        n = self.train.height
        place = pl.Series("place", np.random.default_rng(int(self.fingerprint, 16)).permutation(n))
        kept = place < max(1, round(share * n))
        if per_user is not None:
            users = self.train.select(schema.USER).with_columns(place)
            kept &= users.select(pl.col("place").rank().over(schema.USER)).to_series() <= per_user
        return replace(self, train=self.train.filter(kept), withheld=self.train.filter(~kept))

    def reading(self, template: str | None) -> Split:
        """The same split, of which models read other item texts: those of a template over the catalogue's columns.

        Raises:
            ConfigError: If a field of the template is no column.
        """
        if template is None:
            return self
        items = self.dataset.items
        columns = [name for name, dtype in items.schema.items() if dtype in (pl.String, pl.List(pl.String))]
        require_fields(columns, template, "the catalogue", "item_text")
        read = items.with_columns(render(items, template, "item_text").alias(schema.TEXT))
        return replace(self, dataset=replace(self.dataset, items=read), data_texts=self.dataset.texts)

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
        return occurs(self.train[schema.USER], self.dataset.n_users)


class Splitter(ABC):
    """Filters a data set and assigns each interaction to a part.

    Every attribute of an instance is a parameter and enters the split's fingerprint.

    Args:
        seed: Of a strategy's random draws, and of the order of equal timestamps.
        min_rating: Interactions with a lower value are no positives. None keeps all.
        mask_low_rated: Whether items that a user rated below `min_rating` before a stage are no candidates in it.
        user_k_core: Users with fewer interactions are dropped, until all have as many. None keeps all.
        item_k_core: The same for items; items without any interaction are dropped too then.

    Raises:
        ConfigError: If a parameter is impossible; the message names its key.
    """

    name: ClassVar[str]
    cuts_follow_time: ClassVar[bool] = False  # whether a user's parts follow one another in time
    takes_impressions: ClassVar[bool] = False

    def __init__(
        self,
        seed: int = 0,
        min_rating: float | None = None,
        user_k_core: int | None = None,
        item_k_core: int | None = None,
        mask_low_rated: bool = True,
    ) -> None:
        if not isinstance(mask_low_rated, bool):
            raise ConfigError(f"split.mask_low_rated is {mask_low_rated!r}; expected true or false.")
        self.seed = check_seed(seed)
        self.mask_low_rated = mask_low_rated
        self.min_rating = check_min_rating(min_rating)
        self.user_k_core = check_count("split.user_k_core", user_k_core)
        self.item_k_core = check_count("split.item_k_core", item_k_core)

    @abstractmethod
    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """The part of each interaction; they come ordered by user, then time, then tie.

        Raises:
            ConfigError: If the strategy cannot be applied to this data.
        """

    def place_low_rated(self, low_rated: pl.DataFrame, split: Split) -> NDArray[np.int8]:
        """The part of each interaction below the rating threshold, which is no positive but known to have happened.

        Where a user's parts follow one another in time, it is the part in which it was made; else train.
        """
        part = np.full(low_rated.height, TRAIN_PART, dtype=np.int8)
        if not self.cuts_follow_time or not split.dataset.has_timestamps:
            return part
        times = low_rated[schema.TIMESTAMP].to_numpy()
        for number, targets in ((VALIDATION_PART, split.validation), (TEST_PART, split.test)):
            first = targets.group_by(schema.USER).agg(pl.col(schema.TIMESTAMP).min().alias("first"))
            begins = low_rated.select(schema.USER).join(first, on=schema.USER, how="left", maintain_order="left")
            part[times >= begins["first"].fill_null(np.iinfo(np.int64).max).to_numpy()] = number
        return part

    def identity(self) -> dict[str, Any]:
        """All parameters, as plain values."""
        return {"split": self.name, "tie_rule": TIE_RULE, **vars(self)}

    def split(self, dataset: Dataset) -> Split:
        """The parts of a data set.

        Raises:
            ConfigError: If the strategy cannot be applied to this data, or nothing is left to train on or to test.
        """
        self._check_impressions(dataset)
        kept, dropped = self._filtered(dataset)
        interactions = ordered(kept, self.seed)
        part = self.assign(interactions, kept)
        train, validation, test, fold_in = (interactions.filter(pl.Series(part == number)) for number in PARTS)
        split = Split(
            kept,
            train,
            validation,
            test,
            fold_in,
            name=self.name,
            fingerprint=self._fingerprint(dataset),
            statistics={
                "dropped": {**dataset.dropped, **dropped},
                "tied_cuts": tied_cuts(interactions, part) if self.cuts_follow_time else None,
            },
        )
        self._check_sizes(split)
        if kept.low_rated is not None and self.mask_low_rated:
            placed = kept.low_rated.with_columns(pl.Series(schema.PART, self.place_low_rated(kept.low_rated, split)))
            split = replace(split, low_rated=placed)
        return replace(split, warnings=small_test_warnings(split))

    def _check_impressions(self, dataset: Dataset) -> None:
        if dataset.impressions is not None and not (self.takes_impressions and self._filters() == {}):
            raise ConfigError(
                f"{dataset.name} has impressions, which bring their own split: use split=given, with no filters, "
                f"not {self._described()}."
            )

    def _filtered(self, dataset: Dataset) -> tuple[Dataset, dict[str, int]]:
        kept, dropped = filter_interactions(dataset, self.min_rating, self.user_k_core, self.item_k_core)
        if kept.interactions.is_empty():
            raise ConfigError(
                f"{self._described()} leaves nothing of the {dataset.interactions.height:,} interactions of "
                f"{dataset.name}: lower the filters."
            )
        return kept, dropped

    def _check_sizes(self, split: Split) -> None:
        if split.train.is_empty() or split.test.is_empty():
            raise ConfigError(
                f"split={self.name} leaves {split.train.height:,} train and {split.test.height:,} test interactions of "
                f"{split.dataset.interactions.height:,}: change its shares or dates, or the filters split.min_rating, "
                "split.user_k_core and split.item_k_core."
            )

    def _filters(self) -> dict[str, float]:
        values = {key: vars(self)[key] for key in ("min_rating", "user_k_core", "item_k_core")}
        return {f"split.{key}": value for key, value in values.items() if value is not None}

    def _described(self) -> str:
        return " ".join([f"split={self.name}", *(f"{key}={value}" for key, value in self._filters().items())])

    def _fingerprint(self, dataset: Dataset) -> str:
        content = json.dumps([dataset.fingerprint, self.identity()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def _in_order(interactions: pl.DataFrame) -> pl.DataFrame:
    """By user, then time, as a splitter orders them; equal times stay as they are."""
    keys = [key for key in (schema.USER, schema.TIMESTAMP) if key in interactions.columns]
    return interactions.sort(keys, maintain_order=True)


def _refit_impressions(dataset: Dataset, on: str) -> Dataset:
    """The data set with the impressions of the validation part (and with ALL of the test) among those of train."""
    if dataset.impressions is None:
        return dataset
    moved = [schema.VAL, schema.TEST] if on == ALL else [schema.VAL]
    part = pl.when(pl.col(schema.PART).is_in(moved)).then(pl.lit(schema.TRAIN)).otherwise(pl.col(schema.PART))
    return replace(dataset, impressions=dataset.impressions.with_columns(part.alias(schema.PART)))


def small_test_warnings(split: Split) -> list[str]:
    """The warning about a test that is too small."""
    n_all = split.dataset.n_users
    tested, known = (occurs(frame[schema.USER], n_all) for frame in (split.test, split.before(schema.TEST)))
    n_users, n_warm = int(tested.sum()), int((tested & known).sum())
    if n_warm >= MIN_WARM_USERS and split.test.height >= MIN_TEST_PAIRS:
        return []
    return [
        f"split={split.name} leaves {split.test.height:,} test interactions of {n_users:,} users, of whom {n_warm:,} "
        f"have any history: fewer than {MIN_TEST_PAIRS:,} interactions or {MIN_WARM_USERS} users with a history "
        "give uncertain metrics."
    ]


def occurs(idx: pl.Series, n: int) -> NDArray[np.bool_]:
    """(n,) whether each of the users or items 0…n-1 is in a column."""
    return np.bincount(idx.to_numpy(), minlength=n) > 0
