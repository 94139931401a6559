from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from full import only_full
from reports.made_runs import made_run, small_study
from reports.made_study import CELLS, made_study

from recsys.reports.comparison import Comparison, compare
from recsys.reports.critical_difference import critical_difference
from recsys.reports.document import sections
from recsys.reports.formatting import interval
from recsys.reports.plots import cost, curves, leaderboard, segments, significance, tradeoffs
from recsys.reports.plots.base import Figure
from recsys.reports.plots.labelling import Canvas, sides
from recsys.reports.plots.ranks import critical_difference_figure
from recsys.reports.scores import ends_of
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord

pytestmark = pytest.mark.slow  # the figures of a whole study, made once


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("plots"))


@pytest.fixture(scope="module")
def small(store):
    return compare(small_study(store), store, "popularity", ["ndcg@10", "recall@10"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("made"))
    study, records = made_study(store, n_seeds=2, n_users=60)
    return compare(records, store, study.baseline, study.metrics, labels=study.labels), study


@pytest.fixture(scope="module")
def drawn(made):
    """All figures of the made-up study."""
    return figures(*made)


def rows(figure: Figure, name: str = "rows") -> list[dict]:
    return figure.spec["datasets"][name]


def figures(comparison: Comparison, study: StudyRecord | None = None) -> dict[str, Figure]:
    return {figure.name: figure for section in sections(comparison, None, study) for figure in section.figures}


def test_every_figure_of_a_study_is_there_with_its_words_and_data(drawn):
    expected = {"leaderboard", "differences", "significance", "ablation", "segments", "accuracy_cost"}
    expected |= {"accuracy_memory", "learning_curves", "tradeoffs", "metric_pairs", "search_history"}
    expected |= {f"{kind}_{cell}" for kind in ("importance", "parallel") for cell in ("bert_dot", "tfidf_dot")}
    assert set(drawn) == expected
    for figure in drawn.values():
        assert figure.title
        assert figure.reading.endswith(".")
        assert figure.alternative.endswith(".")
        assert figure.data.rows
        assert all(len(row) == len(figure.data.headers) for row in figure.data.rows)
        json.dumps(figure.spec, allow_nan=False)


def test_all_of_them_can_be_drawn(drawn):
    for name, figure in drawn.items():
        text = figure.render("svg").decode()
        assert text.startswith("<svg"), name
        assert "NaN" not in text, name
        assert "undefined" not in text, name


def test_the_leaderboard_has_the_scores(small):
    figure = leaderboard.leaderboard(small)
    assert [(row["cell"], row["value"]) for row in rows(figure)] == [
        ("bert+dot", 0.625),
        ("tfidf+dot", 0.5),
        ("popularity", 0.25),
    ]
    score = small.rows[1].scores["ndcg@10"]
    drawn = rows(figure)[1]
    assert (drawn["low"], drawn["high"]) == pytest.approx((score.low, score.high), rel=1e-5)
    assert [row["family"] for row in rows(figure)] == ["bert", "tfidf", "no text"]
    assert rows(figure, "reference") == [{"value": 0.25, "text": "baseline"}]
    assert len(rows(figure, "seeds")) == 6


def test_an_axis_names_the_stage_of_its_metric(small, store):
    validated = compare(small_study(store), store, "popularity", ["val/ndcg@10"])
    for comparison, title in ((small, "nDCG@10 on the test"), (validated, "nDCG@10 (val)")):
        for figure in (leaderboard.leaderboard(comparison), *cost.cost_figures(comparison)):
            assert title in json.dumps(figure.spec)
            assert "(val) on the test" not in json.dumps(figure.spec)


def test_a_long_leaderboard_keeps_the_baseline(tmp_path):
    store = Store(tmp_path)
    runs = [made_run(store, "bert", "dot", 0, [0.9 - 0.01 * n, 0.5], config={"n": n}) for n in range(50)]
    found = compare(runs, store, runs[-1].run_id, ["ndcg@10"])
    figure = leaderboard.leaderboard(found)
    assert len(rows(figure)) == 41
    assert rows(figure)[-1]["cell"] == found.baseline
    assert "The first 40 of 50 cells and the baseline are drawn" in figure.reading
    assert len(figure.data.rows) == 50


def test_the_ablation_has_the_differences_from_its_base(made, drawn):
    comparison, _ = made
    figure = drawn["ablation"]
    changes = {cell.label for cell in CELLS if cell.kind == "change"}
    assert {row["cell"] for row in rows(figure)} == changes
    for row in rows(figure):
        pair = comparison.pair("ndcg@10", row["cell"], "bert+dot")
        assert row["value"] == pytest.approx(pair.difference.mean, rel=1e-5)
        assert row["low"] == pytest.approx(pair.difference.low, rel=1e-5)
        clear = comparison.is_significant(pair.difference)
        assert row["judgement"] == ("worse" if clear else "not significant")
    assert "all 36 pairs" in figure.reading


@only_full
def test_an_ablation_against_its_base_as_baseline_is_not_drawn_twice(made, tmp_path):
    store = Store(tmp_path)
    study, records = made_study(store, n_seeds=1, n_users=40)
    study = replace(study, cells=[replace(cell, trials=[]) for cell in study.cells])
    found = figures(compare(records, store, "bert+dot", ["ndcg@10"], labels=study.labels), study)
    assert "differences" not in found
    assert "8 comparisons with bert+dot" in found["ablation"].reading


def test_the_matrix_has_each_pair_both_ways(small):
    figure = significance.significance_matrix(small)
    assert figure is not None
    values = {(row["cell"], row["other"]): row["text"] for row in rows(figure)}
    assert len(values) == 6
    assert (values["bert+dot", "popularity"], values["popularity", "bert+dot"]) == ("+.375", "−.375")
    assert len(figure.data.rows) == 3
    states = {(row["cell"], row["other"]): row["state"] for row in rows(figure)}
    for pair in small.pairs("ndcg@10"):
        clear = small.is_significant(pair.difference)
        assert states[pair.a, pair.b] == ("row better" if clear else "not significant")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "+.012"), (-0.5, "−.500"), (0.9999, "+1.000"), (10.34, "+10.3"), (-20.0, "−20.0")]
)
def test_numbers_in_tiles(value, text):
    assert significance._short(value) == text


def test_critical_differences_join_what_is_not_told_apart():
    found = critical_difference({name: {"a": 0.3, "b": 0.2, "c": 0.1} for name in ("x", "y", "z")})
    figure = critical_difference_figure(found, "ndcg@10")
    assert figure.name == "critical_difference_ndcg_10"
    assert [(row["cell"], row["value"]) for row in rows(figure)] == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert [(row["first"], row["last"]) for row in rows(figure, "groups")] == [
        (group[0], group[-1]) for group in found.groups
    ]
    assert figure.render("svg").startswith(b"<svg")


def test_the_frontier_keeps_ties_and_drops_what_is_beaten():
    points = [(1.0, 0.5), (1.0, 0.5), (2.0, 0.4), (2.0, 0.6), (3.0, 0.6)]
    assert cost.frontier(points) == [0, 1, 3]
    assert cost.frontier([(1.0, 0.5), (2.0, 0.4), (3.0, 0.45)], lower=True) == [0, 1]


def test_cost_adds_encoding_training_and_test(small):
    figure = cost.cost_figures(small)[0]
    by_cell = {row["cell"]: row for row in rows(figure)}
    assert by_cell["bert+dot"]["cost"] == pytest.approx(2.0 + 10.0 + 0.5)
    assert by_cell["bert+dot"]["frontier"] is True
    assert by_cell["popularity"]["frontier"] is False  # as dear, and worse


def test_segments_have_their_sizes(small):
    figure = segments.segments(small)
    assert figure is not None
    first = rows(figure, "rows0")[0]
    assert (first["segment"], first["cell"], first["value"]) == ("cold\nn=2", "bert+dot", pytest.approx(0.3125))
    assert "in items=cold bert+dot is best with 0.3125" in figure.alternative


def test_segments_show_the_intervals_of_the_first_cell_and_the_baseline(small):
    figure = segments.segments(small)
    assert figure is not None
    drawn = {small.rows[0].label, small.baseline}
    found = [row for place in range(2) for row in rows(figure, f"rows{place}") if row["interval"]]
    assert {row["cell"] for row in found if row["low"] is not None} == drawn
    for row in found:
        name = next(name for name in small.segments.scores if name.partition("=")[2] == row["segment"].split("\n")[0])
        assert row["interval"] == interval(*ends_of(small.segments.scores[name][row["cell"]]))
    assert "95% intervals of the first cell and the baseline" in figure.reading


def test_curves_are_means_over_the_seeds_that_reached_an_epoch(tmp_path):
    store = Store(tmp_path)
    ends = {0: [0.1, 0.3], 1: [0.2]}
    runs = [
        made_run(
            store, "bert", "dot", seed, [0.5, 0.6], curve=[{"epoch": e, "val/ndcg@10": v} for e, v in enumerate(own)]
        )
        for seed, own in ends.items()
    ]
    figure = curves.curves(compare(runs, store, None, ["ndcg@10"]))
    assert figure is not None
    drawn = [(row["epoch"], row["value"], row["low"], row["high"], row["n"]) for row in rows(figure, "rows0")]
    assert drawn == [(1.0, pytest.approx(0.15), 0.1, 0.2, 2), (2.0, 0.3, 0.3, 0.3, 1)]
    assert "bert+dot is best at epoch 2 with 0.3000" in figure.alternative


def test_long_curves_are_thinned_and_keep_their_end():
    epochs = [float(n) for n in range(1000)]
    kept = curves._thinned(epochs, 120)
    assert len(kept) <= 120
    assert kept[-1] == 999.0
    assert list(kept) == sorted(kept)
    assert list(curves._thinned(epochs[:120], 120)) == epochs[:120]


def test_runs_without_curves_segments_or_further_metrics_have_no_such_figures(tmp_path):
    store = Store(tmp_path)
    run = made_run(store, "bert", "dot", 0, [0.5, 0.6], metrics={"test/ndcg@10": 0.55}, segments={}, times={})
    bare = compare([replace(run, peak_memory_mb=None)], store, None, ["ndcg@10"])
    assert (curves.curves(bare), tradeoffs.tradeoffs(bare), cost.cost_figures(bare)) == (None, None, [])
    assert set(figures(bare)) == {"leaderboard", "segments"}  # the length of histories is in the values per user


def test_tradeoffs_are_against_the_first_metric(made):
    comparison, _ = made
    figure = tradeoffs.tradeoffs(comparison)
    assert figure is not None
    titles = [panel["title"] for panel in figure.spec["concat"]]
    assert titles == ["coverage@10 →", "novelty@10 →", "diversity@10 →", "← average popularity@10", "← gini@10"]
    point = next(row for row in rows(figure, "rows0") if row["cell"] == "popularity")
    assert point["other"] == pytest.approx(0.055)  # of 0.05 and 0.06
    assert point["value"] == pytest.approx(comparison.row("popularity").scores["ndcg@10"].mean, rel=1e-5)


def test_labels_never_lie_over_each_other_or_outside():
    points = [(float(n % 7), float(n % 5), f"cell {n}") for n in range(40)]
    found = sides(points, list(range(40)), Canvas(300, 200))
    assert 0 < len(found) < 40
    assert found == sides(points, list(range(40)), Canvas(300, 200))
    assert sides([(0.0, 0.0, "x" * 200)], [0], Canvas(300, 200)) == {}


def heights(figure: Figure, labels: list[str]) -> list[float]:
    """How far down each whole label of the vertical axis is in the drawn picture; a label may have several lines."""
    places = re.findall(
        r'<text text-anchor="end" transform="translate\(-?[\d.]+,([\d.]+)\)"[^>]*>(.*?)</text>',
        figure.render("svg").decode(),
    )
    found = {" ".join(re.findall("[^<>]+(?=<|$)", re.sub("<[^>]*>", "<", text))): float(down) for down, text in places}
    return [found[label] for label in labels]


def test_lists_stand_in_their_order_and_not_in_the_alphabet(made, drawn):
    comparison, _ = made
    order = [row.label for row in comparison.rows]
    assert order != sorted(order)
    assert len({label.partition(" (")[0] for label in order}) < len(order)  # some share their first line
    lists = dict.fromkeys(("leaderboard", "significance"), order)
    lists |= {name: [row["cell"] for row in rows(drawn[name])] for name in ("ablation", "importance_bert_dot")}
    for name, labels in lists.items():
        found = heights(drawn[name], labels)
        assert found == sorted(found), name
        assert len(set(found)) == len(labels), name


def test_lines_of_groups_stand_beside_their_cells():
    means = {
        name: {"zeta": 0.9, "mu": 0.5 + shift, "alpha": 0.5 - shift, "beta": 0.1}
        for name, shift in zip("xyzuvw", [0.1, -0.1] * 3, strict=True)
    }
    found = critical_difference(means)
    figure = critical_difference_figure(found, "ndcg@10")
    down = heights(figure, found.labels)
    assert found.labels[0] == "zeta"
    assert down == sorted(down)
    ends = dict(zip(found.labels, down, strict=True))
    lines = re.findall(
        r'<line [^>]*transform="translate\([\d.]+,([\d.]+)\)" x2="0" y2="(-?[\d.]+)"[^>]*stroke-width="4"',
        figure.render("svg").decode(),
    )
    spans = [sorted((float(top), float(top) + float(length))) for top, length in lines]
    wanted = [sorted((ends[group[0]], ends[group[-1]])) for group in found.groups]
    assert len(spans) == len(found.groups) > 0
    for span, want in zip(spans, wanted, strict=True):
        assert span == pytest.approx(want, abs=6)
