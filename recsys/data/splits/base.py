"""The base class of splitters, which filter a data set and assign each interaction to a part."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.filters import filter_interactions, without_items
from recsys.data.splits.parameter_checks import SPLIT_SEEDS
from recsys.data.splits.split import EARLIER, LATER, PARTS, TEST_PART, TRAIN_PART, VALIDATION_PART, Split, occurs
from recsys.data.splits.ties import TIE_RULE, ordered, tied_cuts
from recsys.schema import ConfigError
from recsys.support.custom_code.hashes import code_of_object
from recsys.support.number_checks import check_number, check_whole

MIN_WARM_USERS, MIN_TEST_PAIRS = 100, 1000


class Splitter(ABC):
    """Filters a data set and assigns each interaction to a part.

    Every attribute of an instance is a parameter and enters the split's fingerprint.

    Args:
        seed: Of random draws, and of the order of equal timestamps.
        min_rating: Interactions with a lower value are not positives. None keeps all.
        mask_low_rated: Whether items that a user rated below `min_rating` before a stage are not candidates in it.
        user_k_core: Users with fewer interactions are dropped, repeatedly until none is left. None keeps all.
        item_k_core: The same for items; then items without any interaction are dropped too.

    Raises:
        ConfigError: If a parameter is impossible; the message names its key.
    """

    name: ClassVar[str]
    cuts_follow_time: ClassVar[bool] = False  # whether a user's parts are consecutive in time
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
        check_whole("split.seed", seed, 0, below=SPLIT_SEEDS)
        check_number("split.min_rating", min_rating, optional=True)
        check_whole("split.user_k_core", user_k_core, 1, optional=True)
        check_whole("split.item_k_core", item_k_core, 1, optional=True)
        self.seed = seed
        self.mask_low_rated = mask_low_rated
        self.min_rating = min_rating
        self.user_k_core = user_k_core
        self.item_k_core = item_k_core

    @abstractmethod
    def assign(self, interactions: pl.DataFrame, dataset: Dataset) -> NDArray[np.int8]:
        """(n,) the part of each interaction. Interactions are ordered by user, then time, then the hash of the pair.

        Raises:
            ConfigError: If the strategy cannot be applied to this data.
        """

    def place_low_rated(self, low_rated: pl.DataFrame, split: Split) -> NDArray[np.int8]:
        """(n,) the part of each interaction below the rating threshold, from which on the item is known to the user.

        If a user's parts are consecutive in time, it is the part of the interaction's time; else train.
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

    def is_later(self, frame: pl.DataFrame, interactions: pl.DataFrame) -> NDArray[np.bool_]:
        """(n,) whether each row of a frame is after the period that a split of these interactions ends with."""
        return np.zeros(frame.height, dtype=bool)

    def warnings(self, split: Split) -> list[str]:
        """Sentences about the test that every report repeats."""
        return small_test_warnings(split)

    def identity(self) -> dict[str, Any]:
        """The strategy, the rule for ties and all parameters, as plain values."""
        return {"split": self.name, "tie_rule": TIE_RULE, **vars(self)}

    def split(self, dataset: Dataset) -> Split:
        """The parts of a data set.

        Raises:
            ConfigError: If the strategy cannot be applied to this data, or nothing is left to train on or to test.
        """
        self._check_impressions(dataset)
        kept, dropped = self._filtered(dataset)
        interactions, n_all = ordered(kept, self.seed), kept.interactions.height
        part = self.assign(interactions, kept)
        later = None if kept.low_rated is None else self.is_later(kept.low_rated, interactions)
        gone = _first_seen_later(interactions, part, kept, later)
        if gone.any():
            dropped["items_first_seen_later"] = int(gone.sum())
            part = part[~gone[interactions[schema.ITEM].to_numpy()]]
            kept = without_items(kept, gone)
            interactions = ordered(kept, self.seed)
        earlier, interactions, part = _within_period(interactions, part)
        if interactions.height < n_all:
            dropped["outside_period"] = n_all - interactions.height
            kept = replace(kept, interactions=interactions, fingerprint="")
        train, validation, test, fold_in = (interactions.filter(pl.Series(part == number)) for number in PARTS)
        split = Split(
            kept,
            train,
            validation,
            test,
            fold_in,
            name=self.name,
            fingerprint=self._fingerprint(dataset, later is not None and bool(later.any())),
            statistics={
                "dropped": {**dataset.dropped, **dropped},
                "tied_cuts": tied_cuts(interactions, part) if self.cuts_follow_time else None,
            },
            earlier=earlier,
        )
        self._check_sizes(split)
        if kept.low_rated is not None and self.mask_low_rated:
            placed = kept.low_rated.with_columns(pl.Series(schema.PART, self.place_low_rated(kept.low_rated, split)))
            split = replace(split, low_rated=placed)
        return replace(split, warnings=self.warnings(split))

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

    def _fingerprint(self, dataset: Dataset, has_later_low_ratings: bool) -> str:
        content = [dataset.fingerprint, self.identity(), *(["later low ratings"] if has_later_low_ratings else [])]
        code = code_of_object(self)
        if code:  # a class of the user's own may have the name and parameters of its base class
            content.append({"class": type(self).__qualname__, **code})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _first_seen_later(
    interactions: pl.DataFrame, part: NDArray[np.int8], dataset: Dataset, later: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """(n_items,) whether an item has interactions after the period of a split only: it is not known in it.

    Args:
        interactions: All interactions above the rating threshold.
        part: (n,) their parts.
        dataset: The data set, whose interactions below the threshold count as well.
        later: Whether each of these is after the period; None if there are none.
    """
    items, n = interactions[schema.ITEM], dataset.n_items
    seen, occurring = occurs(items.filter(pl.Series(part != LATER)), n), occurs(items, n)
    if dataset.low_rated is not None and later is not None:
        low_rated = dataset.low_rated[schema.ITEM]
        seen |= occurs(low_rated.filter(pl.Series(~later)), n)
        occurring |= occurs(low_rated, n)
    return occurring & ~seen


def _within_period(
    interactions: pl.DataFrame, part: NDArray[np.int8]
) -> tuple[pl.DataFrame | None, pl.DataFrame, NDArray[np.int8]]:
    """The interactions before the period of a split (None if there are none), those within it, and their parts (n,)."""
    if (part >= 0).all():
        return None, interactions, part
    earlier = interactions.filter(pl.Series(part == EARLIER))
    return earlier if earlier.height else None, interactions.filter(pl.Series(part >= 0)), part[part >= 0]


def small_test_warnings(split: Split) -> list[str]:
    """Warnings for the report, if the test part is too small for precise metrics."""
    n_all = split.dataset.n_users
    tested, known = (occurs(frame[schema.USER], n_all) for frame in (split.test, split.before(schema.TEST)))
    n_users, n_warm = int(tested.sum()), int((tested & known).sum())
    if n_warm >= MIN_WARM_USERS and split.test.height >= MIN_TEST_PAIRS:
        return []
    warm = "all of them" if n_warm == n_users else f"{n_warm:,} of them"
    return [
        f"split={split.name} leaves {split.test.height:,} test interactions of {n_users:,} users, {warm} with a "
        f"history: fewer than {MIN_TEST_PAIRS:,} interactions or {MIN_WARM_USERS} users with a history give "
        "uncertain metrics."
    ]
