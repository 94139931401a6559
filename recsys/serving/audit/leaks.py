"""Leaks between the parts of a split: overlap in time, and pairs of a user and an item in two parts."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from recsys import schema
from recsys.data.splits.split import Split
from recsys.tracking.audit_findings import IS_CLEAN, IS_FOUND, IS_UNKNOWN, Finding
from recsys.tracking.origins import LEAKS

_PART = "part"


def split_leaks(split: Split) -> list[Finding]:
    """Check a split for pairs in two parts and for overlap in time.

    Args:
        split: The split of the tested model, whose train part is everything that the model was fitted on.
    """
    return [shared_pairs(split), *time_overlaps(split)]


def shared_pairs(split: Split) -> Finding:
    """Count pairs of a user and an item that are in more than one part."""
    parts = {"train": split.whole.train, "validation": split.validation, "test": split.test, "fold_in": split.fold_in}
    pairs = pl.concat(
        frame.select(schema.USER, schema.ITEM, pl.lit(name).alias(_PART)) for name, frame in parts.items()
    )
    n = pairs.group_by(schema.USER, schema.ITEM).agg(pl.col(_PART).n_unique()).filter(pl.col(_PART) > 1).height
    text = f"{n:,} of {pairs.height:,} pairs of a user and an item are in more than one part of the split"
    return Finding(LEAKS, "pairs in two parts", IS_FOUND if n else IS_CLEAN, text, {"n": n, "of": pairs.height})


def time_overlaps(split: Split) -> list[Finding]:
    """Count known interactions that are later than the test interactions that are to be predicted.

    The first finding compares known and test interactions of the same user, the second one the whole train part with
    the first test interaction. Ji et al., "A Critical Study on Data Leakage in Recommender System Offline Evaluation",
    TOIS 2023.
    """
    checks = "later interactions of the same user", "later interactions of any user"
    if not split.dataset.has_timestamps:
        text = "the data has no timestamps"
        return [Finding(LEAKS, check, IS_UNKNOWN, text) for check in checks]
    begins = split.test.group_by(schema.USER).agg(pl.col(schema.TIMESTAMP).min().alias("begins"))
    known = split.known(schema.TEST)
    late = known.join(begins, on=schema.USER).filter(pl.col(schema.TIMESTAMP) > pl.col("begins"))
    n, n_users = late[schema.USER].n_unique(), begins.height
    text = f"{n:,} of {n_users:,} test users have known interactions that are later than their first test interaction"
    of_user = Finding(LEAKS, checks[0], IS_FOUND if n else IS_CLEAN, text, {"n": n, "of": n_users})
    first = split.test[schema.TIMESTAMP].min()
    n, n_train = split.train.filter(pl.col(schema.TIMESTAMP) > first).height, split.train.height
    text = f"{n:,} of {n_train:,} train interactions are later than the first test interaction"
    if n:
        text += "; with split=temporal there are none"
    return [of_user, Finding(LEAKS, checks[1], IS_FOUND if n else IS_CLEAN, text, {"n": n, "of": n_train})]


def first_test_time(split: Split) -> datetime | None:
    """The time of the first test interaction (UTC); None if the data has no times."""
    if not split.dataset.has_timestamps:
        return None
    first = split.test[schema.TIMESTAMP].min()
    return None if not isinstance(first, int) else datetime.fromtimestamp(first / 1e6, UTC)
