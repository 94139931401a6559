"""Cells on several random draws of a split: means, the corrected resampled t-test, refusals and files."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from reports.made_runs import PROTOCOL, made_run
from rich.console import Console
from scipy import stats

from recsys.commands.compare import run as compare_command
from recsys.config.compose import compose
from recsys.reports.draws import compare_draws, resampled_t
from recsys.reports.over_splits import OverSplits
from recsys.reports.over_splits_tables import answers, over_splits_grid, over_splits_note
from recsys.reports.plots.over_splits import over_splits_figure
from recsys.schema import ONE_DRAW, ComparisonError
from recsys.tracking.record import FAILED, Record
from recsys.tracking.store import Store

VALUES = {  # by draw: values of the users, who differ between draws
    0: {"bert": [0.5, 0.25, 1.0], "tfidf": [0.25, 0.25, 0.5]},
    1: {"bert": [0.75, 0.5], "tfidf": [0.5, 0.25]},
    2: {"bert": [0.0, 0.5, 0.5], "tfidf": [0.25, 0.5, 0.5]},
}
PARTS = {"train": 70, "validation": 10, "test": 20}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def on_draw(store: Store, draw: int, encoder: str, values: list[float], **changes) -> Record:
    """A run that is tested on one draw of the items."""
    split = {"_target_": "cold_items", "seed": draw, "test_share": 0.2, **changes.pop("split", {})}
    own = {"split": "cold_items", "split_fingerprint": str(draw), "test_knowledge": "refit"}
    protocol = {**PROTOCOL, **own, **changes.pop("protocol", {})}
    return made_run(
        store,
        encoder,
        "dot",
        changes.pop("seed", 0),
        values,
        users=[f"u{place}" for place in range(len(values))],
        config={"split": split},
        protocol=protocol,
        data_statistics={"parts": {part: {"interactions": n} for part, n in PARTS.items()}},
        warnings=[f"split=cold_items {ONE_DRAW} 5 cold items", f"of draw {draw}"],
        **changes,
    )


def runs_of(store: Store, values: dict[int, dict[str, list[float]]]) -> list[Record]:
    return [on_draw(store, draw, cell, own) for draw, cells in values.items() for cell, own in cells.items()]


def pooled(store: Store, records: list[Record], baseline: str | None = "tfidf+dot") -> OverSplits:
    return compare_draws(records, store, baseline, ["ndcg@10", "coverage@10"])


def test_draws_are_the_units(store):
    found = pooled(store, runs_of(store, VALUES)[::-1])
    assert list(found.comparisons) == ["draw 0", "draw 1", "draw 2"]
    means = {cell: [np.mean(own[cell]) for own in VALUES.values()] for cell in ("bert", "tfidf")}
    bert = found.scores["ndcg@10"]["bert+dot"]
    assert bert.mean == pytest.approx(np.mean(means["bert"]))
    differences = np.subtract(means["bert"], means["tfidf"])
    error = np.sqrt((1 / 3 + 20 / 80) * differences.var(ddof=1))  # Nadeau and Bengio (2003); validation is known too
    assert bert.difference is not None
    assert bert.difference.mean == pytest.approx(differences.mean())
    assert bert.difference.p == pytest.approx(2 * stats.t.sf(differences.mean() / error, 2))
    expected = stats.t.interval(0.95, 2, differences.mean(), error)
    assert (bert.difference.low, bert.difference.high) == pytest.approx(expected)
    assert found.pairs["ndcg@10"][0].difference.p == pytest.approx(bert.difference.p)
    assert found.scores["coverage@10"]["bert+dot"].low is not None  # each draw has a value, so there is an interval


def test_models_that_know_the_train_part_only_have_a_larger_test(store):
    values = {draw: {"bert": own["bert"], "tfidf": own["tfidf"]} for draw, own in VALUES.items()}
    refitted = pooled(store, runs_of(store, values)).scores["ndcg@10"]["bert+dot"].difference
    only = [
        on_draw(Store(store.root / "other"), draw, cell, own, protocol={"test_knowledge": "train"})
        for draw, cells in values.items()
        for cell, own in cells.items()
    ]
    trained = pooled(Store(store.root / "other"), only).scores["ndcg@10"]["bert+dot"].difference
    assert refitted is not None
    assert trained is not None
    widths = [own.high - own.low for own in (refitted, trained)]
    assert (widths[1] / widths[0]) ** 2 == pytest.approx((1 / 3 + 20 / 70) / (1 / 3 + 20 / 80))


def test_the_error_rate_is_nominal_for_draws_that_share_data():
    generator = np.random.default_rng(0)
    shared = 0.2  # correlation of two draws, n_test / (n_test + n_train)
    n = 2000
    values = shared**0.5 * generator.normal(size=(n, 1)) + (1 - shared) ** 0.5 * generator.normal(size=(n, 5))
    p = np.array([resampled_t(own, shared / (1 - shared), 0.95)[2] for own in values.tolist()])
    naive = stats.ttest_1samp(values, 0, axis=1).pvalue
    assert stats.binomtest(int((p < 0.05).sum()), n, 0.05).pvalue > 0.01
    assert (naive < 0.05).mean() > 0.1


def test_equal_draws_have_no_interval():
    assert resampled_t([0.0, 0.0, 0.0], 0.25, 0.95) == (0.0, 0.0, 1.0)
    assert resampled_t([0.5, 0.5, 0.5], 0.25, 0.95) == (0.5, 0.5, 0.0)


def test_tables_sentences_and_warnings(store):
    found = pooled(store, runs_of(store, VALUES))
    grid = over_splits_grid(found, "ndcg@10")
    assert grid.headers == ["nDCG@10", "all draws", "Δ to tfidf+dot", "p (Holm)", "draws ahead"]
    assert [grid.rows[0][place].text for place in (0, 4)] == ["bert+dot", "2 of 3"]
    note = over_splits_note(found, "ndcg@10")
    assert "The draws are the units" in note
    assert "corrected resampled t-test" in note
    best, sure, lasting = answers(found)
    assert best.question == "Which is best over all draws?"
    assert sure.answer == "not significantly different from tfidf+dot"
    assert lasting.answer == "bert+dot has the best mean in 2 of 3 draws"
    assert "nDCG@10 by draw" in over_splits_figure(found, "ndcg@10").title
    assert "draw 1: of draw 1" in " ".join(found.warnings)
    assert ONE_DRAW not in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"test_share": 0.5}}, r"split\.test_share: 0\.2 in draw 0; 0\.2 in draw 1; 0\.5 in draw 2"),
        ({"protocol": {"candidates": "few"}}, r'candidates: "all" in draw 0; "all" in draw 1; "few" in draw 2'),
        ({"seed": 1}, r"seeds: \[0\] in draw 0; \[0\] in draw 1; \[1\] in draw 2"),
    ],
)
def test_draws_that_differ_in_more_than_their_seed_are_refused(store, changes, message):
    runs = runs_of(store, {draw: VALUES[draw] for draw in (0, 1)})
    runs += [on_draw(store, 2, cell, own, **changes) for cell, own in VALUES[2].items()]
    with pytest.raises(ComparisonError, match=message):
        pooled(store, runs)


def test_a_failed_run_is_of_its_draw_only(store):
    failed = replace(on_draw(store, 1, "gpt2", [0.0, 0.0]), status=FAILED, protocol={}, metrics={})
    found = pooled(store, [*runs_of(store, VALUES), failed])
    assert [len(own.failures) for own in found.comparisons.values()] == [0, 1, 0]


def test_two_draws_and_splits_that_are_not_drawn_are_refused(store):
    with pytest.raises(ComparisonError, match=r"at least 3 values of split\.seed; these have 2"):
        pooled(store, runs_of(store, {draw: VALUES[draw] for draw in (0, 1)}))
    runs = [
        on_draw(store, draw, cell, own, protocol={"split": "user_temporal"})
        for draw, cells in VALUES.items()
        for cell, own in cells.items()
    ]
    with pytest.raises(ComparisonError, match="split=user_temporal has no random draws of the test"):
        pooled(store, runs)


@pytest.mark.slow
def test_the_command_writes_each_draw_and_all(store):
    runs_of(store, VALUES)
    overrides = [f"paths.runs_dir={store.root}", "across=draws", "baseline=tfidf+dot", "report_metrics=[ndcg@10]"]
    console = Console(file=io.StringIO(), width=160)
    compare_command(compose([*overrides, "formats=[md,html,csv]"], "compare"), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.index(" draw 0 ") < text.index(" draw 2 ") < text.index("all 3 draws")
    folder = store.root / "reports" / "comparison"
    assert (folder / "draw_1" / "report.md").is_file()
    assert "| draw 2 | 3 | 3 |" in (folder / "over_draws.md").read_text()
    assert "Which is best over all draws?" in (folder / "over_draws.html").read_text()
    assert (folder / "over_draws.csv").read_text().startswith("nDCG@10,")
