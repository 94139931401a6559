"""A split of films by hand, in which a test plants leaks."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from recsys.data.dataset import Dataset
from recsys.data.splits.split import Split

TITLES = ["Heat (1995)", "Casino (1995)", "Balto (1995)", "Nixon (1995)", "Sabrina (1995)", "Powder (1995)"]


def interactions(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """Rows of user, item and time."""
    columns = {"user": pl.Int32, "item": pl.Int32, "value": pl.Float32, "timestamp": pl.Int64}
    return pl.DataFrame([(user, item, 1.0, time) for user, item, time in rows], schema=columns, orient="row")


def clean(titles: list[str] = TITLES) -> Split:
    """Two users; items 0 to 3 are in train, 4 (cold) and 3 in the test, which is later than all of train."""
    train = interactions((0, 0, 1), (0, 1, 2), (1, 2, 3), (1, 3, 4))
    validation, test = interactions((0, 2, 5)), interactions((0, 4, 6), (0, 3, 7), (1, 4, 8))
    items = pl.DataFrame({"item_id": [f"i{row}" for row in range(len(titles))], "text": titles, "title": titles})
    users = pl.DataFrame({"user_id": ["u0", "u1"]})
    data = Dataset("films", pl.concat([train, validation, test]), items, users)
    return Split(data, train, validation, test, train.clear(), "temporal", "00")


def with_train(*rows: tuple[int, int, int]) -> Split:
    """The clean split with further train interactions."""
    split = clean()
    return replace(split, train=pl.concat([split.train, interactions(*rows)]))


def without_times() -> Split:
    """The clean split, of data that has no times."""
    split = clean()
    parts = {name: getattr(split, name).drop("timestamp") for name in ("train", "validation", "test", "fold_in")}
    data = replace(split.dataset, interactions=split.dataset.interactions.drop("timestamp"))
    return replace(split, dataset=data, **parts)
