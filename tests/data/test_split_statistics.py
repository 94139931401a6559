"""What is said of a data set and its split, in fractions that can be counted by hand."""

from __future__ import annotations

import io
import json

import polars as pl
import pytest
from data.split_contract import dataset_of, log_rows, rows_of

from recsys.data.dataset import Dataset
from recsys.data.description import describe, render
from recsys.data.sources.movielens_small import MovieLensSmallSource
from recsys.data.splits.cold_items import ColdItemsSplitter
from recsys.data.splits.cold_users import ColdUsersSplitter
from recsys.data.splits.given import GivenSplitter
from recsys.data.splits.temporal import TemporalSplitter
from recsys.data.splits.user_temporal import UserTemporalSplitter


@pytest.fixture(scope="module")
def movielens() -> Dataset:
    return MovieLensSmallSource().read()


@pytest.fixture
def toy() -> Dataset:
    parts = ["train", "train", "val", "test", "train", "test", "test"]
    rows = rows_of("u a 0", "u b 86400000000", "u c 9", "u a2 9", "v a 9", "v d 9", "w a 9", part=parts)
    data = dataset_of(rows)
    texts = data.items.with_columns(pl.Series("text", ["a film", " ", "", "a film", "a film"]))
    return Dataset("toy", data.interactions, texts, data.users, dropped={"unreadable": 2})


def test_a_data_set(toy):
    assert describe(toy) == {
        "users": 3,
        "items": 5,
        "interactions": 7,
        "density": 7 / (3 * 5),
        "with_text": 3 / 5,
        "per_user_mean": 7 / 3,
        "per_user_median": 2.0,
        "dropped": {"unreadable": 2},
        "from": "1970-01-01",
        "until": "1970-01-02",
    }


def test_the_parts_of_a_split(toy):
    statistics = describe(toy, GivenSplitter().split(toy))
    assert statistics["tied_cuts"] is None
    assert statistics["parts"] == {
        "train": {
            "interactions": 3,
            "users": 2,
            "items": 2,
            "cold_users": 0.0,
            "cold_items": 0.0,
            "cold_after_refit": 0.0,
        },
        "validation": {
            "interactions": 1,
            "users": 1,
            "items": 1,
            "cold_users": 0.0,
            "cold_items": 1.0,
            "cold_after_refit": 1.0,
        },
        # w has no history; a2 and d have no train interaction, a has
        "test": {
            "interactions": 3,
            "users": 3,
            "items": 3,
            "cold_users": 1 / 3,
            "cold_items": 2 / 3,
            "cold_after_refit": 2 / 3,
        },
    }


def test_held_out_users_are_not_without_history():
    split = ColdUsersSplitter().split(dataset_of(log_rows()))
    parts = describe(split.dataset, split)["parts"]
    assert list(parts) == ["train", "validation", "test", "fold_in"]
    assert parts["test"]["cold_users"] == parts["validation"]["cold_users"] == 0
    assert parts["fold_in"]["users"] == parts["test"]["users"] + parts["validation"]["users"]


def test_data_without_time_has_no_time_span():
    assert "from" not in describe(dataset_of(log_rows().drop("timestamp")))


def test_statistics_fit_into_a_record(movielens):
    split = UserTemporalSplitter(min_rating=4, user_k_core=5).split(movielens)
    statistics = describe(split.dataset, split)
    assert json.loads(json.dumps(statistics)) == statistics


def test_the_tables_show_every_number(toy):
    from rich.console import Console

    out = io.StringIO()
    split = GivenSplitter().split(toy)
    for table in render(describe(toy, split)):
        Console(file=out, width=120).print(table)
    for words in (
        "46.67%",
        "60.00%",
        "2.3",
        "unreadable 2",
        "1970-01-02",
        "does not apply",
        "validation",
        "66.67%",
        "33.33%",
    ):
        assert words in out.getvalue()
    assert len(render(describe(toy))) == 1


def test_a_global_cut_of_the_embedded_data_warns_of_its_size(movielens):
    split = TemporalSplitter(test_share=0.1, validation_share=0.1).split(movielens)
    assert split.warnings == [
        "split=temporal leaves 10,000 test interactions of 82 users, 22 of them with a history: fewer than 1,000 "
        "interactions or 100 users with a history give uncertain metrics."
    ]
    assert describe(split.dataset, split)["parts"]["test"]["cold_users"] == 60 / 82


def test_few_test_interactions_warn_too(movielens):
    split = UserTemporalSplitter(test_share=0.01).split(movielens)
    assert split.warnings[0].startswith(f"split=user_temporal leaves {split.test.height} test interactions of")
    assert " users, all of them with a history: fewer than " in split.warnings[0]
    assert split.test.height < 1_000


def test_cold_items_warn_that_they_are_one_draw(movielens):
    (warning,) = ColdItemsSplitter().split(movielens).warnings
    assert warning.startswith("split=cold_items tests one draw of 1,813 cold items: intervals and tests are over users")
    assert warning.endswith("study.draws=[0,1,2,3,4] makes a study compare over several draws.")


def test_the_default_split_of_the_embedded_data_is_large_enough(movielens):
    split = UserTemporalSplitter().split(movielens)
    assert split.warnings == []
    assert split.train.height + split.validation.height + split.test.height == 100_004
    assert split.test["user"].n_unique() == movielens.n_users == 671


def test_items_of_the_validation_are_known_after_the_refit(movielens):
    split = UserTemporalSplitter().split(movielens)
    tested, train, validation = (set(part["item"]) for part in (split.test, split.train, split.validation))
    found = describe(movielens, split)["parts"]
    for part, known in (("cold_items", train), ("cold_after_refit", train | validation)):
        expected = split.test["item"].is_in(sorted(tested - known)).mean()
        assert 0 < found["test"][part] == pytest.approx(expected)
    assert found["validation"]["cold_after_refit"] == found["validation"]["cold_items"] > 0
