from __future__ import annotations

import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.reports.verdict import equals, verdict
from recsys.tracking.store import Store

NEAR = [0.50, 0.30, 0.70, 0.40, 0.61, 0.52]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def test_a_clear_winner(store):
    runs = [
        made_run(
            store, "bert", "dot", 0, [value + 0.1 + 0.001 * n for n, value in enumerate(NEAR)], times={"fit": 40.0}
        ),
        made_run(store, "tfidf", "dot", 0, NEAR, times={"fit": 10.0}),
    ]
    best, sure, cost = verdict(compare(runs, store, "tfidf+dot", ["ndcg@10"]))
    # means 3.03/6 = 0.505, and 0.1 + 0.0025 more
    assert best.answer == "bert+dot"
    assert best.details[0].startswith("nDCG@10 0.6075 [")
    assert best.details[1].startswith("+0.1025 [+0.10")
    assert sure.answer == "Significantly better than the other"
    assert sure.details[0].startswith("Next: tfidf+dot, −0.1025 [−0.10")
    assert sure.details[-1] == "6 users, one seed: tests and intervals hold for new users only"
    assert cost.answer == "40 s"
    assert "4.0 times the time of tfidf+dot" in cost.details
    assert equals(compare(runs, store, None, ["ndcg@10"])) == []


def test_a_winner_that_is_not_significantly_better_names_the_cheaper(store):
    shifted = [value + shift for value, shift in zip(NEAR, (0.1, -0.1, 0.1, -0.1, 0.1, -0.07), strict=True)]
    runs = [
        made_run(store, "bert", "dot", 0, shifted, times={"fit": 40.0}),  # mean 0.505 + 0.03/6 = 0.51
        made_run(store, "tfidf", "dot", 0, NEAR, times={"fit": 10.0}),
        made_run(
            store, "gpt2", "dot", 0, [value - 0.2 - 0.001 * n for n, value in enumerate(NEAR)], times={"fit": 1.0}
        ),
    ]
    best, sure, cost = verdict(compare(runs, store, None, ["ndcg@10"]))
    assert best.answer == "bert+dot"
    assert sure.answer == "Not significantly better than 1 of 2: tfidf+dot"
    assert cost.details[-1] == (
        "Cheapest that is not significantly worse: tfidf+dot, 0.25 times the time and 0.0050 less nDCG@10"
    )


def test_the_interval_with_seeds_is_a_detail(store):
    _, sure, _ = verdict(compare(small_study(store), store, None, ["ndcg@10"]))
    assert any(detail.startswith("With the variance of seeds [") for detail in sure.details)
    assert (
        sure.details[-1]
        == "4 users, 2 seeds with a standard deviation of 0.0000: tests hold for new users and new seeds"
    )


def test_one_cell_and_a_metric_without_values_per_user_are_no_errors(store):
    run = made_run(store, "bert", "dot", 0, [0.1, 0.5])
    assert verdict(compare([run], store, None, ["ndcg@10"]))[1].answer == "Nothing to compare with"
    assert verdict(compare(small_study(store), store, None, ["coverage@10"]))[1].answer == "Unknown"
