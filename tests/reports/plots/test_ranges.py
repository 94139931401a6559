"""Axes and intervals of figures end where a metric's values end."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from reports.made_runs import made_run

from recsys.reports.comparison import compare
from recsys.reports.plots import leaderboard, tradeoffs
from recsys.reports.plots.ranges import clipped, metric_scale, range_of
from recsys.reports.plots.segments import segments
from recsys.tracking.store import Store

VALUES = {  # by encoder and seed, of 20 users; the few seeds make intervals of ±0.5
    "bert": ([1.0] + [0.0] * 19, [1.0, 1.0] + [0.0] * 18),
    "tfidf": ([0.0] * 18 + [0.5, 0.5], [0.0] * 18 + [0.5, 0.5]),
    "gpt2": ([0.0] * 18 + [0.25, 0.25], [0.0] * 18 + [0.25, 0.25]),
}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("ranges"))
    runs = [
        made_run(store, name, "dot", seed, own) for name, by_seed in VALUES.items() for seed, own in enumerate(by_seed)
    ]
    return compare(runs, store, None, ["ndcg@10", "recall@10"])


def ticks(figure):
    """Numbers of all axes."""
    words = re.findall(r">([-−+]?\d+(?:\.\d+)?)</text>", figure.render("svg").decode())
    return [float(word.replace("−", "-")) for word in words]


@pytest.mark.slow
def test_no_axis_has_values_below_the_range(comparison):
    for figure in (leaderboard.leaderboard(comparison), tradeoffs.metric_pairs(comparison), segments(comparison)):
        assert min(ticks(figure)) == 0, figure.name


def test_intervals_end_at_the_range_in_the_figure_and_its_table(comparison):
    score = comparison.row("bert+dot").scores["ndcg@10"]
    figure = leaderboard.leaderboard(comparison)
    lows = {row["cell"]: row["low_with_seeds"] for row in figure.spec["datasets"]["rows"]}
    entries = {row[0].text: row[4].value for row in figure.data.rows}
    assert entries["bert+dot"] == score.low_with_seeds
    assert min(entries.values()) == 0  # cut off, as Student's t with two seeds is wide
    assert lows == {label: pytest.approx(low, rel=1e-5) for label, low in entries.items()}


def test_intervals_of_segments_end_at_the_range(comparison):
    scores = [score for own in comparison.segments.scores.values() for score in own.values()]
    assert scores
    assert all(0 <= score.low <= score.mean <= score.high <= 1 and score.high_with_seeds <= 1 for score in scores)


def test_ends_beyond_the_range_are_moved_to_it():
    rows = [{"value": 0.5, "low": -0.25, "high": 1.25}, {"value": 0.5, "low": None, "high": 0.75}]
    assert clipped(rows, (0.0, 1.0)) == [
        {"value": 0.5, "low": 0.0, "high": 1.0},
        {"value": 0.5, "low": None, "high": 0.75},
    ]
    assert clipped(rows, (None, None)) == rows
    assert clipped(rows, (0.0, None))[0] == {"value": 0.5, "low": 0.0, "high": 1.25}


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([0.01, 0.5], [0.0, 0.5 + 0.49 * 21 / 168]),  # 21 of the 168 pixels between the paddings of a narrow plot
        ([0.5, 0.99], [0.5 - 0.49 / 8, 1.0]),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_near_the_end_of_the_range_an_axis_ends_there(values, domain):
    found = metric_scale((0.0, 1.0), values, padding=21).to_dict()
    assert found == {"domain": pytest.approx(domain)}
    assert metric_scale((None, None), values, padding=21).to_dict() == {"zero": False, "padding": 21}


def test_labels_beside_marks_keep_their_room_above_the_range():
    found = metric_scale((0.0, 1.0), [0.0, 1.0], padding=21, keeps_room=True).to_dict()
    assert found == {"domain": pytest.approx([0.0, 1 + 1 / 8])}
    found = metric_scale((0.0, 1.0), [0.5, 1.0], padding=21, keeps_room=True).to_dict()
    assert found == {"zero": False, "padding": 21}


@pytest.mark.parametrize("values", [[0.4, 0.6, None], [0.0, 0.0]])
def test_elsewhere_an_axis_has_its_padding(values):
    assert metric_scale((0.0, 1.0), values, padding=21).to_dict() == {"zero": False, "padding": 21}


def test_the_range_is_what_the_runs_record_whatever_a_metric_is_called(comparison, tmp_path):
    assert range_of(comparison, "test/ndcg@10") == (0.0, 1.0)
    records = [replace(record, ranges={"ndcg@10": [-1.0, None]}) for record in comparison.records]
    own = compare(records, Store(comparison.runs_dir), None, ["ndcg@10", "recall@10"])
    assert range_of(own, "ndcg@10") == (-1.0, None)
    assert range_of(own, "recall@10") == (None, None)
    lows = [row["low_with_seeds"] for row in leaderboard.leaderboard(own).spec["datasets"]["rows"]]
    assert min(lows) < 0


def test_each_further_metric_is_drawn_against_the_first_with_both_intervals(comparison):
    figure = tradeoffs.metric_pairs(comparison)
    (row,) = (own for own in figure.spec["datasets"]["rows0"] if own["cell"] == "tfidf+dot")
    assert (row["value"], row["other"]) == (0.05, 0.1)  # the made-up recall is twice the nDCG
    assert row["high"] == pytest.approx(comparison.row("tfidf+dot").scores["ndcg@10"].high, rel=1e-5)
    assert row["other_high"] == pytest.approx(comparison.row("tfidf+dot").scores["recall@10"].high, rel=1e-5)
    assert figure.data.headers == [
        "cell", "nDCG@10", "nDCG@10 low", "nDCG@10 high", "recall@10", "recall@10 low", "recall@10 high",
    ]  # fmt: skip


def test_by_another_metric_the_other_way_round(comparison):
    figure = tradeoffs.metric_pairs(comparison.by("recall@10"))
    assert figure.title.startswith("recall@10 against")
    assert {row["other"] for row in figure.spec["datasets"]["rows0"]} == {0.075, 0.05, 0.025}


def test_metrics_of_the_tradeoffs_are_not_drawn_twice(comparison, tmp_path):
    records = comparison.records
    with_coverage = compare(records, Store(comparison.runs_dir), None, ["ndcg@10", "coverage@10"])
    assert tradeoffs.metric_pairs(with_coverage) is None
    assert "coverage@10" in tradeoffs.tradeoffs(with_coverage).data.headers
    assert "recall" not in str(tradeoffs.tradeoffs(with_coverage).data.headers)
