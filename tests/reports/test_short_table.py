"""Results in five columns."""

from reports.made_runs import made_run

from recsys.reports.comparison import compare
from recsys.reports.paper import paper_table
from recsys.reports.short_table import short_grid, short_note
from recsys.reports.tables import note
from recsys.reports.verdict import verdict
from recsys.tracking.store import Store

METRICS = ["ndcg@10", "recall@10", "coverage@10"]


def comparison(store, seeds=(0,), baseline="popularity"):
    values = {"cf": [0.2, 0.6, 0.4, 0.4], "popularity": [0.1, 0.3, 0.1, 0.3]}
    runs = [
        made_run(store, "none", ranker, seed, [value + seed / 100 for value in own])
        for ranker, own in values.items()
        for seed in seeds
    ]
    return compare(runs, store, baseline, METRICS)


def test_there_are_five_columns_of_two_metrics_and_the_difference(tmp_path):
    grid = short_grid(comparison(Store(tmp_path)))
    assert grid.headers == ["", "nDCG@10", "Δ to popularity", "p (Holm)", "recall@10"]
    best, floor = grid.rows
    assert [entry.is_best for entry in best] == [False, True, False, False, True]
    assert best[1].text.startswith("0.4000 [")
    assert best[2].text.startswith("+0.2000 [")
    assert best[4].text == "0.8000"
    assert [entry.text for entry in floor[2:4]] == ["baseline", "–"]


def test_intervals_are_those_with_seeds_where_there_are_some(tmp_path):
    made = comparison(Store(tmp_path), seeds=(0, 1, 2))
    row = made.rows[0]
    score = row.scores["ndcg@10"]
    assert f"{score.low_with_seeds:.4f}" != f"{score.low:.4f}"
    assert f"[{score.low_with_seeds:.4f}," in short_grid(made).rows[0][1].text
    assert f"[{row.scores['ndcg@10'].difference.low_with_seeds:+.4f}," in short_grid(made).rows[0][2].text
    assert "users and seeds" in short_note(made)


def test_a_metric_without_values_per_user_has_no_interval_or_test(tmp_path):
    store = Store(tmp_path)
    runs = [made_run(store, "none", ranker, 0, [0.1, 0.3]) for ranker in ("cf", "popularity")]
    made, told = compare(runs, store, "popularity", ["coverage@10"]), "Mean over 2 users and 1 seed; best in bold."
    assert short_note(made) == note(made) == told
    assert f"{{{told}}}" in paper_table(made, "").replace(r"\footnotesize ", "")
    assert verdict(made)[1].details[-1] == "2 users, one seed"


def test_without_a_baseline_there_is_no_difference(tmp_path):
    assert short_grid(comparison(Store(tmp_path), baseline=None)).headers == ["", "nDCG@10", "recall@10"]
