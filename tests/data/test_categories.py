from dataclasses import replace

import numpy as np
import polars as pl

from recsys import schema
from recsys.data.categories import category_table
from recsys.data.dataset import Dataset
from recsys.data.splits.split import Split


def split_with(categories: list[list[str] | None] | None) -> Split:
    """Items 0, 1 and 2 are in the train part, item 3 is in the test alone."""
    pairs = pl.DataFrame({"user": [0, 0, 0, 0], "item": [0, 1, 2, 3]}, schema_overrides={"item": pl.Int32})
    items = pl.DataFrame({schema.ITEM_ID: list("abcd"), schema.TEXT: list("abcd")})
    if categories is not None:
        items = items.with_columns(pl.Series(schema.CATEGORIES, categories, dtype=pl.List(pl.String)))
    data = Dataset("toy", pairs, items, pl.DataFrame({schema.USER_ID: ["x"]}))
    none = pairs.clear()
    return Split(data, pairs.head(3), none, pairs.tail(1), none, name="toy", fingerprint="0")


def test_categories_are_numbered_by_name_and_those_of_the_test_alone_are_left_out():
    table, n = category_table(split_with([["war", "drama"], None, ["war", "war"], ["drama", "western"]]))
    assert table.tolist() == [[0, 1], [-1, -1], [1, -1], [0, -1]]
    assert n == 2


def test_further_items_change_no_number():
    split = split_with([["war"], ["drama"], [], ["war"]])
    extended = split_with([["war"], ["drama"], [], ["war"]]).dataset.items
    further = pl.concat([extended, extended.tail(1).with_columns(pl.Series(schema.CATEGORIES, [["action", "war"]]))])
    table, n = category_table(replace(split, dataset=replace(split.dataset, items=further)))
    assert n == 2
    assert table[:4].tolist() == category_table(split)[0].tolist()
    assert table[4].tolist() == [1]


def test_data_without_categories_has_no_column():
    table, n = category_table(split_with(None))
    assert (table.shape, n) == ((4, 0), 0)
    assert table.dtype == np.int64
