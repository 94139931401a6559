"""The sentences that stand for a figure."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from reports.made_runs import made_run, small_study

from recsys.reports.comparison import compare
from recsys.reports.document import sections
from recsys.reports.inference import Inference
from recsys.reports.plots.leaderboard import leaderboard
from recsys.reports.plots.tradeoffs import _extremes
from recsys.tracking.store import Store


@pytest.fixture
def small(tmp_path):
    store = Store(tmp_path)
    return compare(small_study(store), store, "popularity", ["ndcg@10", "recall@10"])


def test_a_cell_that_is_best_by_both_metrics_is_named_once(small):
    first, *others = small.rows
    scores = {row.label: row.scores["recall@10"] for row in small.rows}
    value = f"{scores[first.label].mean:.4f}"
    assert _extremes(small, "recall@10", scores) == f"{first.label} has the best recall@10 too, {value}"
    scores[others[0].label] = replace(scores[others[0].label], mean=1.5)
    assert _extremes(small, "recall@10", scores) == (
        f"{others[0].label} has the best recall@10 with 1.5000, while {first.label}, first by nDCG@10, has {value}"
    )


def test_captions_have_the_level_of_the_intervals_in_full(small):
    exact = replace(small, inference=Inference(level=0.975))
    figures = [figure for section in sections(exact) for figure in section.figures]
    told = [re.findall(r"[\d.]+%", figure.reading) for figure in figures]
    assert {level for own in told for level in own} == {"97.5%"}
    assert len([own for own in told if own]) > 3


def test_the_data_of_differences_have_no_p_of_zero(tmp_path):
    store, users = Store(tmp_path), range(40)
    runs = [made_run(store, "none", name, 0, [gain + n / 100 for n in users]) for name, gain in (("a", 0), ("b", 0.1))]
    runs.append(made_run(store, "none", "c", 0, [n / 90 for n in users]))
    found = {figure.name: figure for own in sections(compare(runs, store, "a", ["ndcg@10"])) for figure in own.figures}
    grid = found["differences"].data
    p = grid.headers.index("p (corrected)")
    assert [row[p].text for row in grid.rows] == ["<0.0001", "<0.0001"]
    assert all(0 <= row[p].value < 1e-4 for row in grid.rows)


def test_a_single_cell_is_counted_in_the_singular(small):
    assert leaderboard(replace(small, rows=small.rows[:1], baseline=None)).alternative.startswith("A list of 1 cell by")
