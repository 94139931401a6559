from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import Comparison, compare
from recsys.reports.inference import Inference
from recsys.reports.matrix import has_matrix, matrix_note, significance_grid
from recsys.reports.spreadsheets import pairs_to_csv
from recsys.tracking.store import Store

USERS = np.random.default_rng(0).uniform(0.1, 0.3, 50)
NOISE = np.random.default_rng(1).normal(0, 0.02, 50)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def comparison(store) -> Comparison:
    """bert and gpt2 do not differ; both are 0.2 above tfidf."""
    runs = [
        made_run(store, "tfidf", "dot", 0, USERS),
        made_run(store, "bert", "dot", 0, USERS + 0.2 + NOISE - NOISE.mean() + 0.0004),
        made_run(store, "gpt2", "dot", 0, USERS + 0.2),
    ]
    return compare(runs, store, None, ["ndcg@10"])


def test_signs(comparison):
    grid = significance_grid(comparison, brief=True)
    assert grid.headers == ["", "A", "B", "C"]
    assert [[entry.text for entry in row] for row in grid.rows] == [
        ["A bert+dot", "", "·", ">"],
        ["B gpt2+dot", "·", "", ">"],
        ["C tfidf+dot", "<", "<", ""],
    ]
    note = matrix_note(comparison, brief=True)
    assert note.startswith("All cells against each other by nDCG@10: > better, < worse")
    assert "(p < 0.05, paired t-test over users (one seed: for new users only), Holm over all 3 pairs)" in note


def test_differences(comparison):
    grid = significance_grid(comparison)
    assert [[(entry.text, entry.is_marked) for entry in row[1:]] for row in grid.rows] == [
        [("", False), ("+0.0004", False), ("+0.2004", True)],
        [("−0.0004", False), ("", False), ("+0.2000", True)],
        [("−0.2004", True), ("−0.2000", True), ("", False)],
    ]


def test_less_is_better_for_some_metrics(store):
    runs = [made_run(store, encoder, "dot", 0, USERS) for encoder in ("bert", "tfidf")]
    for run, value in zip(runs, (5.0, 9.0), strict=True):
        frame = store.per_user(run.run_id)
        store.save(run, frame.with_columns((frame["ndcg@10"] + value).alias("gini@10")))
        run.metrics["test/gini@10"] = value
        run.directions["gini@10"] = False
    grid = significance_grid(compare(runs, store, None, ["gini@10"]), brief=True)
    assert [[entry.text for entry in row] for row in grid.rows] == [["A bert+dot", "", ">"], ["B tfidf+dot", "<", ""]]


def test_of_many_cells_the_best_are_shown_and_all_are_corrected_for(store):
    runs = [made_run(store, "bert", "dot", 0, USERS + dim / 1000, config={"dim": dim}) for dim in range(14)]
    found = compare(runs, store, None, ["ndcg@10"], inference=Inference("randomisation"))
    grid = significance_grid(found)
    assert grid.headers == ["", *"ABCDEFGHIJKL"]
    assert grid.rows[0][0].text == "A bert+dot (dim=13)"
    note = matrix_note(found)
    assert note.startswith("The best 12 of 14 cells")
    assert "paired randomisation test over users (one seed: for new users only), Holm over all 91 pairs" in note


def test_two_cells_with_a_baseline_need_no_matrix(store):
    runs = small_study(store)
    assert not has_matrix(compare(runs[:4], store, "tfidf+dot", ["ndcg@10"]))
    assert has_matrix(compare(runs[:4], store, None, ["ndcg@10"]))
    assert has_matrix(compare(runs, store, "tfidf+dot", ["ndcg@10"]))
    assert not has_matrix(compare(runs, store, "tfidf+dot", ["coverage@10"]))


def test_csv_parses_back_to_the_exact_numbers(store):
    found = compare(small_study(store), store, None, ["ndcg@10", "recall@10", "coverage@10"])
    lines = list(csv.DictReader(io.StringIO(pairs_to_csv(found))))
    assert [line["metric"] for line in lines] == ["ndcg@10"] * 3 + ["recall@10"] * 3
    for line in lines:
        difference = found.pair(line["metric"], line["a"], line["b"]).difference
        assert float(line["mean"]) == difference.mean
        assert float(line["p_corrected"]) == difference.p_corrected
        assert float(line["high_with_seeds"]) == difference.high_with_seeds
