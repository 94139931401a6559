"""A split: the interactions of a data set by part."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.sources.templates import render, require_fields
from recsys.schema import ALL, REFIT, ConfigError
from recsys.support.number_checks import check_number, check_whole

PARTS = TRAIN_PART, VALIDATION_PART, TEST_PART, FOLD_IN_PART = 0, 1, 2, 3
EARLIER, LATER = -1, -2  # outside the period of a split, so in no part


@dataclass(frozen=True)
class Split:
    """Disjoint parts of a data set's interactions; together they are all of those in the period of the split.

    Attributes:
        dataset: The data set after the splitter's filters, renumbered.
        train: The only part that anything is fitted on.
        validation: Positives of validation: early stopping and tuning.
        test: Positives of the test.
        fold_in: Known interactions of held-out users when they are served (cold_users); empty for other splits.
        name: The strategy's name.
        fingerprint: A hash of the data's fingerprint, the strategy and all of its parameters.
        statistics: The number of interactions that each filter `dropped`, and the share of `tied_cuts`.
        warnings: Sentences that every report repeats, such as one on a test part that is too small.
        withheld: Train interactions that nothing is fitted on (see `subsample_train`). They are still in histories when
            users are served, so that evaluation does not change. None for none.
        low_rated: Interactions below the rating threshold, with the `part` (a number of PARTS) from which on they are
            known: their items are not recommended again. None without a threshold.
        earlier: Interactions before the period of the split: they are in no part and in no history, but their items are
            not recommended again. None if there are none.
        data_texts: The data's own item texts if models read others (see `reading`): diversity is measured on them.
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
    earlier: pl.DataFrame | None = None
    data_texts: list[str] | None = None

    def targets(self, stage: str) -> pl.DataFrame:
        """The interactions to be predicted in a stage (`schema.VAL` or `schema.TEST`)."""
        return {schema.TRAIN: self.train, schema.VAL: self.validation, schema.TEST: self.test}[stage]

    def known(self, stage: str) -> pl.DataFrame:
        """The interactions that histories are made of in a stage: the train part, and the fold-in of held-out users.

        The validation part is in no history of the test, so that models with and without histories know the same
        interactions. After `refit` it is part of train.
        """
        return self.train if stage == schema.TRAIN else pl.concat([self.whole.train, self.fold_in])

    def masked(self, stage: str) -> pl.DataFrame:
        """The `user` and `item` pairs that are not candidates in a stage, since they happened before it."""
        pairs = self.before(stage).select(schema.USER, schema.ITEM)
        if self.earlier is not None:
            pairs = pl.concat([pairs, self.earlier.select(schema.USER, schema.ITEM)])
        if self.low_rated is None:
            return pairs
        parts = [TRAIN_PART, VALIDATION_PART] if stage == schema.TEST else [TRAIN_PART]
        low_rated = self.low_rated.filter(pl.col(schema.PART).is_in(parts))
        return pl.concat([pairs, low_rated.select(schema.USER, schema.ITEM)])

    def before(self, stage: str) -> pl.DataFrame:
        """The interactions that happened before a stage, whether models know them or not."""
        return pl.concat([self.known(stage), self.validation]) if stage == schema.TEST else self.known(stage)

    def refit(self, on: str = REFIT) -> Split:
        """The split for the final fit of the selected setting: a larger train part, and no validation part.

        Args:
            on: REFIT moves the validation part, and the fold-in of its users, to train; test users keep their fold-in.
                ALL moves every interaction to train, and leaves nothing to test; every low rating is known then.

        Raises:
            ConfigError: If train interactions are withheld: call `refit` before `subsample_train`.
        """
        if self.withheld is not None:
            raise ConfigError("a split is refitted before a share of its train part is drawn.")
        low_rated = self.low_rated
        if on == ALL:
            held_out, fold_in = [self.validation, self.test, self.fold_in], self.fold_in.clear()
            if low_rated is not None:
                low_rated = low_rated.with_columns(pl.lit(TRAIN_PART, low_rated.schema[schema.PART]).alias(schema.PART))
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
            low_rated=low_rated,
        )

    @property
    def whole(self) -> Split:
        """The split with nothing withheld; evaluation uses it, so that all runs are evaluated alike."""
        return self if self.withheld is None else self._whole  # a cached `self` would keep itself alive

    @cached_property
    def _whole(self) -> Split:
        assert self.withheld is not None
        return replace(self, train=pl.concat([self.train, self.withheld]), withheld=None)

    def subsample_train(self, share: float = 1.0, per_user: int | None = None) -> Split:
        """The split with a random share of its train interactions, and at most `per_user` of each user, to fit on.

        Both are drawn from one order, so that a smaller sample is a subset of a larger one.

        Raises:
            ConfigError: If the share is not in (0, 1], `per_user` is below 1, or the data has impressions.
        """
        check_number("train_share", share, above=0, at_most=1)
        check_whole("train_per_user", per_user, 1, optional=True)
        if share == 1 and per_user is None:
            return self
        if self.dataset.impressions is not None:
            raise ConfigError(
                f"train_share={share} train_per_user={per_user} cannot be used with the impressions of "
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
        """The same split with other item texts for models: those of a template over the catalogue's columns.

        Raises:
            ConfigError: If a field of the template is not a column.
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


def _in_order(interactions: pl.DataFrame) -> pl.DataFrame:
    """Sort by user, then time, as a splitter does; the order of equal times does not change."""
    keys = [key for key in (schema.USER, schema.TIMESTAMP) if key in interactions.columns]
    return interactions.sort(keys, maintain_order=True)


def _refit_impressions(dataset: Dataset, on: str) -> Dataset:
    """The data set with the impressions of the validation part (and with ALL of the test) among those of train."""
    if dataset.impressions is None:
        return dataset
    moved = [schema.VAL, schema.TEST] if on == ALL else [schema.VAL]
    part = pl.when(pl.col(schema.PART).is_in(moved)).then(pl.lit(schema.TRAIN)).otherwise(pl.col(schema.PART))
    return replace(dataset, impressions=dataset.impressions.with_columns(part.alias(schema.PART)))


def occurs(idx: pl.Series, n: int) -> NDArray[np.bool_]:
    """(n,) whether each of the users or items 0…n-1 is in a column."""
    return np.bincount(idx.to_numpy(), minlength=n) > 0
