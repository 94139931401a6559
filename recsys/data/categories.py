"""The categories of items as a table of indices."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.splits.split import Split


def category_table(split: Split) -> tuple[NDArray[np.int64], int]:
    """(n_items, C) int64 categories of each item, padded with −1, and the number of categories.

    They are numbered in the order of their names. Categories of no train item are omitted, since nothing can be learnt
    about them. C is 0 if the data has no categories.
    """
    items = split.dataset.items
    if schema.CATEGORIES not in items.columns:
        return np.zeros((items.height, 0), dtype=np.int64), 0
    column = items[schema.CATEGORIES]
    names = column.filter(pl.Series(split.warm_items)).explode(empty_as_null=False).drop_nulls().unique().sort()
    numbers = pl.DataFrame({"name": names, "number": np.arange(len(names))})
    pairs = pl.DataFrame({"item": np.arange(items.height), "name": column}).explode("name", empty_as_null=False)
    pairs = pairs.join(numbers, on="name").unique(["item", "number"]).sort("item", "number")
    owners = pairs["item"].to_numpy()
    counts = np.bincount(owners, minlength=items.height)
    table = np.full((items.height, counts.max(initial=0)), -1, dtype=np.int64)
    place = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    table[owners, place] = pairs["number"].to_numpy()
    return table, len(names)
