from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

import recsys
from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits.temporal import TemporalSplitter
from recsys.studies.answers.answer_request import lenient
from recsys.studies.answers.data_facts import Facts, facts_of
from recsys.studies.answers.split_choice import choose_split, wants_cold_items

FACTS = Facts(n_items=500, has_times=True, has_parts=False, has_impressions=False, median_history=9.0, days=30.0)


def fine(name: str) -> list[str]:
    return []


def small(name: str) -> list[str]:
    return [f"{name} is too small"]


@pytest.mark.parametrize(
    ("changes", "problems", "expected"),
    [
        ({}, fine, "temporal"),
        ({}, small, "user_temporal"),
        ({"has_times": False}, fine, "random"),
        ({"has_parts": True}, fine, "given"),
        ({"has_impressions": True}, small, "given"),
    ],
)
def test_the_data_decides(changes, problems, expected):
    found = choose_split(replace(FACTS, **changes), problems)
    assert found.name == expected
    assert found.reason.endswith((".", "small"))


def test_the_command_comes_first():
    assert choose_split(replace(FACTS, has_parts=True), fine, given="random").name == "random"


@pytest.mark.parametrize(
    ("share", "minutes", "problems", "expected"),
    [
        (0.05, 10, fine, True),
        (0.0499, 10, fine, False),
        (0.05, 9.9, fine, False),
        (0.05, 10, small, False),
    ],
)
def test_cold_items_need_enough_of_them_and_time(share, minutes, problems, expected):
    wanted, reason = wants_cold_items(replace(FACTS, cold_share=share), minutes, problems)
    assert wanted is expected
    assert reason.startswith("A study" if expected else "No study")


def test_bad_rows_of_a_yaml_that_begins_with_table_are_dropped_and_its_times_stay_as_it_says():
    cfg = recsys.compose(["data=bookcrossing", "data.path=x"], "answer")
    assert lenient(cfg) == ["data.bad_rows=drop", "data.items.unknown=drop"]
    assert lenient(recsys.compose(["data=bookcrossing", "data.path=x", "data.bad_rows=error"], "answer")) == [
        "data.items.unknown=drop"
    ]
    assert lenient(recsys.compose(["data=movielens_small"], "answer")) == []


def test_the_span_that_decides_a_half_life_is_that_of_the_train_part():
    days = 86_400 * schema.MICROSECONDS
    interactions = pl.DataFrame({"user": [0, 0, 0], "item": [0, 1, 2], "timestamp": [0, 4 * days, 20 * days]})
    interactions = interactions.with_columns(pl.col("user", "item").cast(pl.Int32), value=pl.lit(1.0, pl.Float32))
    items, users = pl.DataFrame({"item_id": ["a", "b", "c"], "text": ["", "", ""]}), pl.DataFrame({"user_id": ["u"]})
    dataset = Dataset("toy", interactions, items, users)
    split = TemporalSplitter(test_from="1970-01-10", validation_from="1970-01-09").split(dataset)
    assert facts_of(dataset).days == 20
    assert facts_of(dataset, split).days == 4
