"""Ratings with a decimal comma, as spreadsheets of many countries write them."""

from __future__ import annotations

import polars as pl
import pytest

import recsys
from recsys.data.sources.table import Interactions, TableSource
from recsys.schema import VALUE, ConfigError, DataError

RATINGS = ["4,5", "3", "-0,25", " ,5 ", "1,5e1"]


def source(folder, ratings=RATINGS, **keys):
    rows = [f"u;i{place};{rating}" for place, rating in enumerate(ratings)]
    (folder / "log.csv").write_text("\n".join(["user_id;item_id;rating", *rows]) + "\n")
    return TableSource(str(folder), Interactions("log.csv", rating="rating"), separator=";", **keys)


def test_ratings_with_a_decimal_comma(tmp_path):
    found = source(tmp_path, decimal_comma=True).read().interactions[VALUE]
    assert sorted(found) == [-0.25, 0.5, 3.0, 4.5, 15.0]


def test_an_error_names_the_key_if_a_value_looks_like_a_decimal_comma(tmp_path):
    with pytest.raises(DataError) as caught:
        source(tmp_path, ["3", "4,5", "4", "good,"]).read()
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    wrong = "log.csv:3: column 'rating': found '4,5', expected a finite number"
    assert lines[0] == f"{wrong}; if commas are decimal commas, set data.decimal_comma=true."
    assert lines[1].endswith("found 'good,', expected a finite number.")


@pytest.mark.parametrize("written", ["1.234,5", "4.5", "1,234,5", "x"])
def test_a_point_is_an_error_as_it_may_separate_thousands(written, tmp_path):
    expected = r"expected a finite number with a decimal comma \(data\.decimal_comma=true\)"
    with pytest.raises(DataError, match=rf"log\.csv:2: column 'rating': found '{written}', {expected}"):
        source(tmp_path, [written], decimal_comma=True).read()


def test_the_key_is_part_of_the_identity_if_it_is_set(tmp_path):
    assert source(tmp_path, decimal_comma=True).identity() == source(tmp_path).identity() | {"decimal_comma": True}
    with pytest.raises(ConfigError, match=r"data\.decimal_comma is 'yes'; expected true or false"):
        source(tmp_path, decimal_comma="yes")


def test_data_frames_have_the_key_too(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    table = pl.DataFrame({"user_id": ["u", "u"], "item_id": ["i", "j"], "stars": ["4,5", "3"]})
    with pytest.raises(DataError, match="if commas are decimal commas, set decimal_comma=True"):
        recsys.dataset(table, rating="stars")
    made = recsys.dataset(table, rating="stars", decimal_comma=True)
    assert sorted(made.dataset.interactions[VALUE]) == [3.0, 4.5]
