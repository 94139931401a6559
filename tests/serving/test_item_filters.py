"""Conditions over item columns, and files of candidates."""

from __future__ import annotations

import polars as pl
import pytest

from recsys.schema import ConfigError, DataError
from recsys.serving.item_filters import allowed_items

ITEMS = pl.DataFrame(
    {
        "item_id": ["10", "20", "30"],
        "text": ["Alien", "Heat", ""],
        "year": [1979, 1995, None],
        "categories": [["Horror", "Sci-Fi"], ["Crime"], []],
    }
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("year < 1990", [True, False, False]),  # an unknown year fits no condition
        ("text LIKE 'H%' OR year IS NULL", [False, True, True]),
        ("array_contains(categories, 'Sci-Fi')", [True, False, False]),
    ],
)
def test_a_condition_over_columns(where, expected):
    assert allowed_items(ITEMS, where, None).tolist() == expected


def test_a_price_with_decimal_commas_can_be_cast():
    items = pl.DataFrame({"item_id": ["1", "2"], "text": ["tea", "knife"], "price": ["9,48", "49,00"]})
    with pytest.raises(ConfigError, match=r"Numbers with decimal commas are String: compare them as in CAST\(REPLACE"):
        allowed_items(items, "price < 10", None)
    assert allowed_items(items, "CAST(REPLACE(price, ',', '.') AS DOUBLE) < 10", None).tolist() == [True, False]


def test_without_a_filter_nothing_is_filtered():
    assert allowed_items(ITEMS, None, None) is None


LISTS = [
    ("c.txt", "30\n\n10\n"),
    ("c.csv", "item_id,a\n10,1\n30,2\n"),
    ("c.jsonl", '{"item_id": 30}\n{"item_id": 10}\n'),
]


@pytest.mark.parametrize(("name", "content"), LISTS)
def test_a_file_of_candidates(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert allowed_items(ITEMS, None, str(tmp_path / name)).tolist() == [True, False, True]
    assert allowed_items(ITEMS, "year > 0", str(tmp_path / name)).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("colour = 'red'", r"where=.* is no SQL condition over the items: .*They have item_id \(String\)"),
        ("year <", "is no SQL condition over the items"),
        ("year + 1", "gives Int64; expected a condition"),
        ("year > 2100", "where=year > 2100: none of 3 items is left"),
    ],
)
def test_a_condition_that_is_none_is_refused(where, message):
    with pytest.raises(ConfigError, match=message):
        allowed_items(ITEMS, where, None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.txt", "10\n99\n", "found '99', expected the id of an item, such as '10'"),
        ("c.csv", "id\n10\n", "has no column 'item_id'; it has id"),
        ("c.csv", "item_id,a\n,1\n", "row 1 has no item_id"),
        ("c.xlsx", "", "is of an unknown format"),
    ],
)
def test_a_malformed_file_of_candidates_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        allowed_items(ITEMS, None, str(tmp_path / name))


def test_a_missing_file_of_candidates_is_refused(tmp_path):
    with pytest.raises(DataError, match="candidates: there is no file"):
        allowed_items(ITEMS, None, str(tmp_path / "absent.csv"))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("year < 200", [True, False, False]),  # as texts, "1995" is before "200"
        ("price >= 9.5 and price < 1e3", [False, True, False]),
        ("year = '95'", [True, False, False]),
        ("code = '007'", [True, False, False]),
        ("sold", [True, False, False]),
        ("item_id = '2'", [False, True, False]),
    ],
)
def test_columns_of_texts_have_inferred_types(where, expected):
    items = pl.DataFrame(
        {
            "item_id": ["1", "2", "3"],
            "year": ["95", "1995", "2005"],
            "price": ["9", "10.5", ""],
            "code": ["007", "12", "13"],
            "sold": ["True", "false", ""],
        }
    )
    assert allowed_items(items, where, None).tolist() == expected


def test_a_misspelt_column_gets_the_nearest():
    items = pl.DataFrame({"item_id": ["1"], "year": ["1"]})
    with pytest.raises(ConfigError, match=r"did you mean year\?"):
        allowed_items(items, "yeer > 3", None)
