from __future__ import annotations

import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.reports.findings import headline
from recsys.reports.formatting import interval
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
    assert not any("is corrected for all" in line for line in sure.details)
    with_baseline = verdict(compare(runs, store, "gpt2+dot", ["ndcg@10"]))[1]
    assert with_baseline.details[1] == "p is corrected for all 3 pairs here, and for 2 pairs with gpt2+dot below"
    assert cost.details[-1] == (
        "Cheapest that is not significantly worse: tfidf+dot, 0.25 times the time and 0.0050 less nDCG@10"
    )


def test_intervals_cover_the_seeds_as_the_tests_do(store):
    runs = [
        made_run(store, encoder, "dot", seed, [value + better + 0.05 * seed for value in NEAR])
        for encoder, better in (("bert", 0.02), ("tfidf", 0.0))
        for seed in (0, 1, 2)
    ]
    comparison = compare(runs, store, "tfidf+dot", ["ndcg@10"])
    best, sure, _ = verdict(comparison)
    score = comparison.row("bert+dot").scores["ndcg@10"]
    own = score.difference
    # All users gain the same 0.02, so that only the seeds vary: without them the interval would have no width.
    assert own.low == pytest.approx(own.high)
    assert own.low_with_seeds < 0 < own.high_with_seeds
    assert best.details[0].endswith(interval(score.low_with_seeds, score.high_with_seeds))
    assert best.details[1] == f"+0.0200 {interval(own.low_with_seeds, own.high_with_seeds, True)} against tfidf+dot"
    ahead = f"Next: tfidf+dot, −0.0200 {interval(-own.high_with_seeds, -own.low_with_seeds, True)}, p "
    assert sure.answer == "Not significantly better than 1 of 1: tfidf+dot"
    assert sure.details[0].startswith(ahead)
    assert interval(score.low_with_seeds, score.high_with_seeds) in headline(comparison)


def test_the_sample_is_a_detail(store):
    _, sure, _ = verdict(compare(small_study(store), store, None, ["ndcg@10"]))
    assert (
        sure.details[-1]
        == "4 users, 2 seeds with a standard deviation of 0.0000: tests hold for new users and new seeds"
    )


def test_one_cell_and_a_metric_without_values_per_user_are_no_errors(store):
    run = made_run(store, "bert", "dot", 0, [0.1, 0.5])
    assert verdict(compare([run], store, None, ["ndcg@10"]))[1].answer == "Nothing to compare with"
    assert verdict(compare(small_study(store), store, None, ["coverage@10"]))[1].answer == "Unknown"
