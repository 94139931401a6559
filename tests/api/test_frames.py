"""Tables in memory become the same data set as the same rows in files."""

from __future__ import annotations

import io
import logging

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import recsys
from recsys.data.sources.frames import as_frame, keep_frames
from recsys.schema import ConfigError, DataError, RecsysError

INTERACTIONS = {
    "customer": [1, 1, 2, 2, 3],
    "sku": ["a", "b", "b", "c", "a"],
    "stars": [4.5, 3.0, 5.0, 1.0, 2.0],
    "day": [1_600_000_000 + 86_400 * n for n in range(5)],
}
ITEMS = {"sku": ["a", "b", "c"], "name": ["Boots", None, "Tent, green"], "price": [9.5, 20.0, 3.25]}
KEYS = {"user": "customer", "item": "sku", "rating": "stars", "timestamp": "day", "item_text": "{name}. {price}"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))


def rows_of(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def dataset_of_hugging_face(columns):
    """Stands for `datasets.Dataset`, which tests do not install: with the one method that is used."""

    class Dataset(list):
        def with_format(self, name):
            assert name == "arrow"
            return pa.table(columns)

    Dataset.__module__ = "datasets.arrow_dataset"
    return Dataset()


KINDS = {
    "polars": pl.DataFrame,
    "polars lazy": pl.LazyFrame,
    "pandas": pd.DataFrame,
    "pandas with an index": lambda columns: pd.DataFrame(columns).set_index("sku"),
    "pyarrow": pa.table,
    "hugging face": dataset_of_hugging_face,
    "columns": dict,
    "rows": rows_of,
}


@pytest.fixture
def fingerprint_of_files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    pl.DataFrame(INTERACTIONS).write_csv(folder / "sales.csv")
    pl.DataFrame(ITEMS).write_csv(folder / "items.csv")
    from recsys.data.dataset_cache import load_dataset
    from recsys.experiment.built_once import shared

    overrides = ["data=table", f"data.path={folder}", "data.interactions.file=sales.csv", "data.items.file=items.csv"]
    overrides += ["data.interactions.user=customer", "data.interactions.item=sku", "data.interactions.rating=stars"]
    overrides += ["data.interactions.timestamp=day", "data.items.id=sku", "data.items.template='{name}. {price}'"]
    cfg = recsys.compose(overrides)
    return load_dataset(shared("data", cfg.data), tmp_path / "cache").fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_and_a_csv_are_one_data_set(kind, fingerprint_of_files):
    make = KINDS[kind]
    made = recsys.dataset(make(INTERACTIONS), make(ITEMS), **KEYS)
    assert made.fingerprint == fingerprint_of_files
    assert made.dataset.items.sort("item_id")["text"].to_list() == ["Boots. 9.5", "20.0", "Tent, green. 3.25"]


def test_the_order_of_rows_changes_nothing(fingerprint_of_files):
    turned = pl.DataFrame(INTERACTIONS).reverse()
    assert recsys.dataset(turned, pl.DataFrame(ITEMS).reverse(), **KEYS).fingerprint == fingerprint_of_files


@pytest.mark.parametrize(
    "times",
    [
        [time * 1000 for time in INTERACTIONS["day"]],
        pd.to_datetime(INTERACTIONS["day"], unit="s"),
        pd.to_datetime(INTERACTIONS["day"], unit="s").tz_localize("UTC").tz_convert("Asia/Tokyo"),
        [str(time) for time in pd.to_datetime(INTERACTIONS["day"], unit="s")],
    ],
    ids=["milliseconds", "times", "times of a zone", "texts"],
)
def test_times_need_no_unit(times):
    names = {"user": "customer", "item": "sku", "timestamp": "day"}
    made = recsys.dataset(pd.DataFrame(INTERACTIONS | {"day": times}), **names)
    assert made.fingerprint == recsys.dataset(INTERACTIONS, **names).fingerprint


def test_ids_that_pandas_made_floats_are_whole_numbers_again():
    table = pd.read_csv(io.StringIO("user_id,item_id\n1,7\n2,7\n,8\n"))
    assert table["user_id"].dtype == float
    made = recsys.dataset(table, bad_rows="drop")
    assert sorted(made.dataset.users["user_id"]) == ["1", "2"]
    assert made.dataset.dropped == {"rows without an id": 1}
    warning = "33.3% of the rows are faulty and were dropped: rows without an id 1. bad_rows='error' lists them."
    assert warning in repr(made)
    assert "33.3% of the rows are faulty" in made._repr_html_()


def test_whole_floats_beside_texts_are_whole_numbers_again():
    table = pd.DataFrame(
        {"user_id": pd.Series([5, 5.0, np.float64(5), "x"], dtype=object), "item_id": ["a", "b", "c", "a"]}
    )
    assert sorted(recsys.dataset(table).dataset.users["user_id"]) == ["5", "x"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["5", "5 ", "6"], r"column 'user_id': found the ids '5' and '5 '; expected one way of writing an id"),
        (["5", "5.0", "6"], r"column 'user_id': found the ids '5' and '5.0'; expected one way of writing an id"),
        (["5", "  ", "6"], r"column 'user_id': found an id that consists of blanks"),
    ],
)
def test_ids_that_differ_by_blanks_are_refused(ids, message):
    with pytest.raises(DataError, match=message):
        recsys.dataset({"user_id": ids, "item_id": ["a", "b", "a"]})


def test_items_of_a_table_that_differ_by_blanks_are_refused():
    log, items = {"user_id": ["x", "y"], "item_id": ["a", "a"]}, {"item_id": ["a", "a "], "title": ["one", "two"]}
    with pytest.raises(DataError, match=r"items: column 'item_id': found the ids 'a' and 'a '"):
        recsys.dataset(log, items)


def test_a_bad_value_is_named_by_table_row_and_column():
    stars = [1.0, float("nan"), 3.0, 4.0]
    table = pl.DataFrame({"user_id": ["x", "y", None, "z"], "item_id": ["a", "b", "c", "a"], "stars": stars})
    with pytest.raises(DataError) as raised:
        recsys.dataset(table, rating="stars")
    lines = str(raised.value).splitlines()
    assert lines[0] == "interactions, row 2: column 'stars': found nothing, expected a finite number."
    assert lines[1] == "interactions, row 3: column 'user_id': found nothing, expected an id."
    assert "bad_rows='drop'" in lines[2]


@pytest.mark.parametrize("make", [pd.DataFrame, dict, rows_of], ids=["pandas", "columns", "rows"])
def test_a_column_of_mixed_values_is_read_as_texts_of_a_file_are(make):
    table = {"user_id": ["x", "y", 7], "item_id": [1, 2, 1], "stars": [5, "five", 4.0]}
    with pytest.raises(DataError, match=r"interactions, row 2: column 'stars': found 'five', expected a finite number"):
        recsys.dataset(make(table), rating="stars")
    made = recsys.dataset(make(table), rating="stars", bad_rows="drop")
    assert sorted(made.dataset.users["user_id"]) == ["7", "x"]


def test_an_unknown_item_is_named_by_its_table():
    with pytest.raises(DataError, match="found 'c', expected an item of items"):
        recsys.dataset(INTERACTIONS, {"sku": ["a", "b"]}, user="customer", item="sku")
    made = recsys.dataset(INTERACTIONS, {"sku": ["a", "b"]}, user="customer", item="sku", unknown_items="drop")
    assert made.dataset.dropped == {"interactions with unknown items": 1}


def test_a_missing_column_names_the_nearest():
    with pytest.raises(DataError, match=r"interactions: there is no column 'custmer' .* did you mean 'customer'"):
        recsys.dataset(INTERACTIONS, user="custmer", item="sku")


def test_an_unknown_key_is_refused():
    with pytest.raises(ConfigError, match="has no key 'colour'; expected some of user, item"):
        recsys.dataset(INTERACTIONS, colour="red")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3, "interactions is of type int; expected a polars or pandas frame"),
        ({"user_id": [1], "item_id": [1, 2]}, "columns of different lengths: 1, 2"),
        (pd.DataFrame([[1, 2]], columns=["user_id", "user_id"]), "several columns are called 'user_id'"),
    ],
)
def test_what_is_no_table_is_refused(table, message):
    with pytest.raises(DataError, match=message):
        recsys.dataset(table)


def test_a_column_of_objects_is_ignored_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        frame = as_frame(pd.DataFrame({"user_id": [1], "item_id": [2], "thing": [object()]}), "interactions")
    assert frame.columns == ["user_id", "item_id"]
    assert "interactions: the column 'thing' is ignored" in caplog.text


def test_frames_are_written_once(tmp_path):
    frames = {"interactions": pl.DataFrame(INTERACTIONS)}
    folder = keep_frames(frames, tmp_path)
    written = (folder / "interactions.frame").stat().st_mtime_ns
    assert keep_frames(frames, tmp_path) == folder
    assert (folder / "interactions.frame").stat().st_mtime_ns == written
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert keep_frames({"interactions": pl.DataFrame(INTERACTIONS).reverse()}, tmp_path) != folder


def test_minimum_counts_are_those_of_the_split():
    made = recsys.dataset(INTERACTIONS, user="customer", item="sku", min_user_interactions=2, min_item_interactions=3)
    cfg = recsys.compose(made.overrides)
    assert (cfg.split.user_k_core, cfg.split.item_k_core) == (2, 3)


def test_a_data_set_is_shown_in_few_lines_without_markup_of_its_own():
    made = recsys.dataset(INTERACTIONS, user="customer", item="sku", timestamp="day", name="<b>shop</b>")
    assert len(repr(made).splitlines()) == 3
    assert "3 users, 3 items, 5 interactions" in repr(made)
    html = made._repr_html_()
    assert "&lt;b&gt;shop" in html
    assert "<b>shop" not in html


def test_errors_name_arguments_instead_of_configuration_keys():
    for keys, wrong in (
        ({"user": "custmer"}, r"no column 'custmer' \(user\);"),
        ({"user": "customer", "items": {"sku": ["a", "b"]}}, r"expected an item of items \(or unknown_items='drop'\)"),
        ({"user": "customer", "items": ITEMS, "item_text": "name"}, r"item_text='name' has no field"),
        ({"user": "customer", "bad_rows": "skip"}, "bad_rows='skip' is unknown"),
    ):
        with pytest.raises(RecsysError, match=wrong) as told:
            recsys.dataset(INTERACTIONS, item="sku", **keys)
        assert "data." not in str(told.value)


def test_a_key_of_a_table_that_is_not_given_is_refused():
    with pytest.raises(ConfigError, match=r"item_text is given, but no table of items: give items=… too"):
        recsys.dataset(INTERACTIONS, user="customer", item="sku", item_text="{name}")
    with pytest.raises(DataError, match="interactions is of type NoneType; expected a polars or pandas frame"):
        recsys.dataset(None)


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        (
            lambda: recsys.run("ranker=popularity", data=pl.DataFrame()),
            "data is of type DataFrame; expected the result",
        ),
        (lambda: recsys.answer({"user": [1]}), "data is of type dict; expected the result of recsys.dataset"),
        (lambda: recsys.run({"encoder": "tfidf"}), r"overrides are \[\{'encoder': 'tfidf'\}\]; expected texts such as"),
        (lambda: recsys.run(None), r"overrides are \[None\]; expected texts such as"),
        (lambda: recsys.compare("a4"), r"takes a list of runs: recsys.compare\(\[run, other\]\)"),
        (lambda: recsys.compose([], "studdy"), "there is no configuration 'studdy'; expected that of a command"),
    ],
)
def test_wrong_arguments_are_named(call, wrong):
    with pytest.raises(ConfigError, match=wrong):
        call()


def test_compose_takes_one_override():
    assert recsys.compose("encoder=tfidf").choices.encoder == "tfidf"
    with pytest.raises(ConfigError, match=r"expected one of als, cf, .* did you mean popularity\?"):
        recsys.compose("ranker=popularty")
