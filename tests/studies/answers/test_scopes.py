"""The planned comparisons of runs that were made up."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from reports.made_runs import PROTOCOL, made_run

from recsys.reports.comparison import compare
from recsys.schema import RecsysError
from recsys.studies.answers.candidates import CONTROL, FLOOR, IDS, LANGUAGE_MODEL, Candidate
from recsys.studies.answers.costs_of_text import text_cost
from recsys.studies.answers.scopes import BETTER, COLD, OVERALL, SHORT, UNDECIDED, Chosen, choose, scopes
from recsys.tracking.store import Store

N_USERS, N_COLD = 60, 40
CELLS = [
    Candidate("none+popularity", FLOOR, []),
    Candidate("none+ease", IDS, []),
    Candidate("bert+cf", LANGUAGE_MODEL, [], "random+cf"),
    Candidate("bert+dot", LANGUAGE_MODEL, [], "random+dot"),
    Candidate("random+cf", CONTROL, []),
]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def records_of(store, **on_validation):
    """A run of each of these cells with this value on validation; all are the same on the test."""
    made = {}
    for label, value in on_validation.items():
        encoder, _, ranker = label.partition("_")
        protocol = {**PROTOCOL, "monitor": "val/ndcg@10"}
        run = made_run(store, encoder, ranker, 0, [0.1, 0.3], protocol=protocol, metrics={"val/ndcg@10": value})
        made[f"{encoder}+{ranker}"] = [run]
    return made


def test_the_cells_are_chosen_by_validation(store):
    records = records_of(store, none_popularity=0.1, none_ease=0.3, bert_cf=0.2, bert_dot=0.25, random_cf=0.4)
    assert choose(records, CELLS) == Chosen("bert+dot", "none+ease", "none+ease", None)  # random+dot was not made
    records = records_of(store, none_popularity=0.4, none_ease=0.3, bert_cf=0.2, random_cf=0.4)
    assert choose(records, CELLS) == Chosen("bert+cf", "none+popularity", "none+ease", "random+cf")


def test_a_cell_without_a_value_on_validation_is_not_chosen(store):
    records = records_of(store, none_ease=0.3, bert_cf=0.2, bert_dot=float("nan"))
    assert choose(records, CELLS).text == "bert+cf"


@pytest.mark.parametrize(("cells", "message"), [({"none_ease": 0.3}, "with a"), ({"bert_cf": 0.3}, "without a")])
def test_nothing_to_compare_is_an_error(store, cells, message):
    with pytest.raises(RecsysError, match=f"no cell {message}"):
        choose(records_of(store, **cells), CELLS)


@pytest.fixture
def three(store):
    """Text is better by 0.2 for the cold items of the first 40 users, and otherwise like IDs and random vectors."""
    rng = np.random.default_rng(0)
    runs = []
    for encoder, ranker, lift in (("bert", "cf", 0.2), ("none", "ease", 0.0), ("random", "cf", 0.0)):
        users = rng.uniform(0.2, 0.4, N_USERS)
        segments = {"items=cold": {"ndcg@10": 0.3 + lift, "n_queries": float(N_COLD)}}
        history = [1] * 30 + [9] * 30
        run = made_run(store, encoder, ranker, 0, users, history=history, segments=segments)
        cold = np.where(np.arange(N_USERS) < N_COLD, rng.uniform(0.2, 0.4, N_USERS) + lift, np.nan)
        store.save(run, store.per_user(run.run_id).with_columns(pl.Series("items=cold/ndcg@10", cold)))
        runs.append(run)
    return compare(runs, store, "bert+cf", ["ndcg@10"])


def test_scopes_are_tested_apart_and_corrected_together(three):
    names = {row.label for row in three.rows}
    ease = next(name for name in names if name.endswith("ease"))
    chosen = Chosen("bert+cf", ease, ease, "random+cf")
    found = scopes(three, chosen)
    assert [own.name for own in found] == [OVERALL, COLD, SHORT]  # no tail item was tested
    assert [own.result for own in found] == [UNDECIDED, BETTER, UNDECIDED]
    assert found[1].gain.mean == pytest.approx(found[1].means["bert+cf"] - found[1].means[ease])
    assert found[0].gain.mean == pytest.approx(three.row("bert+cf").scores["ndcg@10"].mean - found[0].means[ease])
    raw = [own.p for scope in found for own in (scope.gain, scope.over_control)]
    assert min(scope.gain.p_corrected for scope in found) >= min(raw) * len(raw) * 0.99  # Holm: the smallest times six


def test_a_study_of_cold_items_takes_the_place_of_the_segment(three):
    ease = next(row.label for row in three.rows if row.label.endswith("ease"))
    chosen = Chosen("bert+cf", ease, ease, None)
    found = scopes(three, chosen, (three, chosen))
    assert [own.part for own in found][:2] == ["all test interactions", "split=cold_items"]
    assert found[1].over_control is None
    assert found[1].gain.mean == found[0].gain.mean


def test_the_cost_is_fitting_and_encoding(three):
    ease = next(row.label for row in three.rows if row.label.endswith("ease"))
    cost = text_cost(three, "bert+cf", ease, 22_700_000)
    assert (cost.text, cost.ids) == (12.0, 12.0)  # of each made run: encode 2 s, fit 10 s
    assert cost.short == f"12 s of fitting and encoding instead of 12 s for {ease}, the best model on IDs"
    assert cost.weights == "12 k trained weights instead of 12 k, and a language model with 23 M weights"
