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
from recsys.reports.draws import compare_draws, pool_draws, resampled_t, size_of_test
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
PARTS = {  # sizes of the parts
    "train": {"interactions": 70, "users": 11},
    "validation": {"interactions": 10, "users": 2},
    "test": {"interactions": 20, "users": 3},
}


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
        data_statistics=changes.pop("statistics", {"parts": PARTS}),
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


@pytest.mark.parametrize(
    ("split", "size"), [("cold_items", 20 / 80), ("random", 20 / 80), ("cold_users", 3 / (11 + 2))]
)
def test_the_size_of_a_test_counts_what_is_drawn(store, split, size):
    assert size_of_test(on_draw(store, 0, "bert", [0.5], protocol={"split": split})) == pytest.approx(size)


@pytest.mark.parametrize(
    ("keys", "size"),
    [
        ({"train_share": 0.5}, 20 / 40),
        ({"train_per_user": 2}, 20 / (2 * 11)),  # of 11 users
        ({"train_share": 0.1, "train_per_user": 2}, 20 / 8),
    ],
)
def test_withheld_interactions_are_not_known(store, keys, size):
    record = on_draw(store, 0, "bert", [0.5])
    assert size_of_test(replace(record, config={**record.config, **keys})) == pytest.approx(size)


def test_the_error_rate_over_draws_of_users_is_nominal(store):
    """Two equal models, whose difference on a user is the same on all draws that test the user."""
    generator = np.random.default_rng(0)
    n_users, n_tested, n = 50, 10, 1500
    parts = {
        "train": {"users": n_users - n_tested, "interactions": 700},
        "test": {"users": n_tested, "interactions": 40},
    }
    record = on_draw(
        store, 0, "a", [0.5], protocol={"split": "cold_users", "test_knowledge": "train"}, statistics={"parts": parts}
    )
    ratio = size_of_test(record)
    users = generator.normal(size=(n, n_users))
    draws = [[own[generator.permutation(n_users)[:n_tested]].mean() for _ in range(5)] for own in users]
    rejected = sum(resampled_t(own, ratio, 0.95)[2] < 0.05 for own in draws)
    assert 0.02 < rejected / n < 0.07


def test_equal_draws_have_no_interval():
    assert resampled_t([0.0, 0.0, 0.0], 0.25, 0.95) == (0.0, 0.0, 1.0)
    assert resampled_t([0.5, 0.5, 0.5], 0.25, 0.95) == (0.5, 0.5, 0.0)


def test_cells_that_are_equal_up_to_rounding_do_not_differ(store):
    values = {draw: {"bert": [0.1, 0.2, 0.3], "tfidf": [0.3, 0.2, 0.1]} for draw in range(3)}
    difference = pooled(store, runs_of(store, values)).scores["ndcg@10"]["bert+dot"].difference
    assert difference is not None
    assert (difference.mean, difference.p) == (0.0, 1.0)


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


def test_a_draw_whose_runs_all_failed_is_named(store):
    failed = replace(on_draw(store, 7, "bert", [0.0]), status=FAILED, protocol={}, metrics={})
    found = pooled(store, [*runs_of(store, VALUES), failed])
    assert found.warnings[0] == "draw 7: no finished run, so the results are of the other draws."


def test_without_the_baseline_in_one_draw_there_are_no_differences(store):
    one = compare_draws(runs_of(store, VALUES), store, None, ["ndcg@10"])
    found = pool_draws(one.comparisons, baseline="gpt2+dot")
    assert found.baseline is None
    assert "some draws lack the baseline gpt2+dot" in found.warnings[0]
    assert over_splits_grid(found, "ndcg@10").headers == ["nDCG@10", "all draws"]
    assert found.pairs["ndcg@10"]


def test_errors_name_the_draw_and_a_baseline_is_a_label(store):
    runs = runs_of(store, VALUES)
    with pytest.raises(ComparisonError, match="in draw 0: baseline 'gpt2' is none of the cells"):
        pooled(store, runs, "gpt2")
    with pytest.raises(ComparisonError, match="is a run of one draw; expected the label of its cell"):
        pooled(store, runs, runs[0].run_id)


def test_draws_with_one_test_and_runs_without_sizes_are_refused(store):
    same = [
        on_draw(store, draw, cell, own, protocol={"split_fingerprint": "same"})
        for draw, cells in VALUES.items()
        for cell, own in cells.items()
    ]
    with pytest.raises(ComparisonError, match="draw 0, draw 1, draw 2 have the same split"):
        pooled(store, same)
    with pytest.raises(ComparisonError, match="has no sizes of its parts"):
        pooled(store, [replace(run, data_statistics={}) for run in runs_of(store, VALUES)])


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
