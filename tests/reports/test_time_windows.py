"""Cells in several windows of time: means, clustered tests, refusals and files."""

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
from recsys.reports.over_splits import OverSplits
from recsys.reports.over_splits_tables import answers, by_split_grid, over_splits_grid, over_splits_note, pairs_grid
from recsys.reports.plots.over_splits import over_splits_figure
from recsys.reports.time_windows import compare_windows
from recsys.schema import ComparisonError
from recsys.tracking.record import Record
from recsys.tracking.store import Store

USERS = {"2020-01": ["u", "v", "w"], "2020-02": ["u", "v", "w"]}
BALANCED = {
    "2020-01": {"bert": [0.5, 0.25, 1.0], "tfidf": [0.25, 0.25, 0.5]},
    "2020-02": {"bert": [0.75, 0.5, 0.25], "tfidf": [0.5, 0.0, 0.5]},
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def in_window(store: Store, month: str, encoder: str, values: list[float], users: list[str], **changes) -> Record:
    """A run that is tested in one month."""
    split = {"_target_": "temporal", "test_from": f"{month}-01", "min_rating": None, **changes.pop("split", {})}
    protocol = {**PROTOCOL, "split_fingerprint": month, **changes.pop("protocol", {})}
    period = {"test_from": f"{month}-01", "test_until": changes.pop("until", f"{month}-28")}
    return made_run(
        store,
        encoder,
        "dot",
        changes.pop("seed", 0),
        values,
        users=users,
        config={"split": split},
        protocol=protocol,
        data_statistics=period,
        **changes,
    )


def runs_of(store: Store, values: dict[str, dict[str, list[float]]], users: dict[str, list[str]]) -> list[Record]:
    return [
        in_window(store, month, encoder, own, users[month])
        for month, cells in values.items()
        for encoder, own in cells.items()
    ]


def pooled(store: Store, records: list[Record], **options) -> OverSplits:
    return compare_windows(records, store, "tfidf+dot", ["ndcg@10", "coverage@10"], **options)


def test_users_in_all_windows_are_tested_by_their_means(store):
    found = pooled(store, runs_of(store, BALANCED, USERS)[::-1])
    assert list(found.comparisons) == ["window 1", "window 2"]
    assert (found.n_users, found.n_repeated, found.n_queries) == (3, 3, 6)
    bert = found.scores["ndcg@10"]["bert+dot"]
    assert bert.mean == pytest.approx(3.25 / 6)
    means = {cell: np.mean([BALANCED[month][cell] for month in BALANCED], axis=0) for cell in ("bert", "tfidf")}
    assert bert.difference is not None
    assert bert.difference.mean == pytest.approx(1.25 / 6)
    assert bert.difference.p == pytest.approx(stats.ttest_rel(means["bert"], means["tfidf"]).pvalue)
    assert found.labels == ["bert+dot", "tfidf+dot"]
    assert found.scores["coverage@10"]["bert+dot"].mean == 0.25
    assert "coverage@10" not in found.pairs


def cluster_robust_p(differences: np.ndarray, users: list[str]) -> float:
    """Of the intercept of a least-squares regression on a constant alone, with CR1 standard errors by user."""
    n, groups = len(users), sorted(set(users))
    residuals = differences - differences.mean()
    sums = np.array([sum(residuals[place] for place in range(n) if users[place] == group) for group in groups])
    error = np.sqrt(len(groups) / (len(groups) - 1) * (sums**2).sum()) / n
    return float(2 * stats.t.sf(abs(differences.mean() / error), len(groups) - 1))


def test_users_in_some_windows_are_clusters(store):
    users = {"2020-01": ["u", "v", "w"], "2020-02": ["w", "x"], "2020-04": ["u", "w", "y", "z"]}
    generator = np.random.default_rng(3)
    values = {
        month: {cell: generator.random(len(own)).tolist() for cell in ("bert", "tfidf")} for month, own in users.items()
    }
    found = pooled(store, runs_of(store, values, users))
    all_users = [user for own in users.values() for user in own]
    differences = np.concatenate([np.subtract(own["bert"], own["tfidf"]) for own in values.values()])
    own = found.scores["ndcg@10"]["bert+dot"].difference or found.scores["ndcg@10"]["tfidf+dot"].difference
    assert own is not None
    assert own.mean == pytest.approx(differences.mean())
    assert own.p == pytest.approx(cluster_robust_p(differences, all_users))
    assert (found.n_users, found.n_repeated) == (6, 2)


def test_few_users_with_a_value_are_warned_of(store):
    months = ("2020-01", "2020-02", "2020-04")
    names = [f"u{place}" for place in range(30)]
    users = {months[0]: names, months[1]: names[:20], months[2]: names[:10]}  # users have unequal numbers of queries
    half = {month: [1.0] * 5 + [0.0] * (len(own) - 5) for month, own in users.items()}
    values = {month: {"bert": [0.5] * len(own), "tfidf": half[month]} for month, own in users.items()}
    found = pooled(store, runs_of(store, values, users))
    scores = found.scores["ndcg@10"]
    assert (scores["bert+dot"].n_users, scores["tfidf+dot"].n_users) == (30, 5)
    difference = scores["bert+dot"].difference
    assert difference is not None
    assert difference.n_users == 30
    few = "fewer than 10 users have a value of ndcg@10 other than 0 in tfidf+dot (5)"
    assert found.warnings[0].startswith(f"all windows: {few}")


def test_several_seeds_are_averaged_within_users(store):
    shifted = {month: {"bert": [0.9, 0.8, 0.7], "tfidf": [0.2, 0.4, 0.1]} for month in BALANCED}
    runs = runs_of(store, BALANCED, USERS)
    runs += [
        in_window(store, month, cell, own, USERS[month], seed=1)
        for month, cells in shifted.items()
        for cell, own in cells.items()
    ]
    score = pooled(store, runs).scores["ndcg@10"]["bert+dot"]
    assert score.mean == pytest.approx((3.25 / 6 + 0.8) / 2)
    assert score.seed_sd == pytest.approx(np.std([3.25 / 6, 0.8], ddof=1))
    assert score.low_with_seeds is not None


def test_tables_and_sentences(store):
    values = {**BALANCED, "2020-03": {"bert": [0.0, 0.25, 0.0], "tfidf": [0.25, 0.5, 0.25]}}
    found = pooled(store, runs_of(store, values, {**USERS, "2020-03": ["a", "b", "c"]}))
    grid = over_splits_grid(found, "ndcg@10")
    assert grid.headers == ["nDCG@10", "all windows", "Δ to tfidf+dot", "p (Holm)", "windows ahead"]
    assert [grid.rows[0][place].text for place in (0, 4)] == ["bert+dot", "2 of 3"]
    by_window = by_split_grid(found, "ndcg@10", brief=True)
    assert [entry.text for entry in by_window.rows[0]] == ["bert+dot", "0.5833", "0.5000", "0.0833"]
    assert [entry.is_best for entry in by_window.rows[0]] == [False, True, True, False]
    assert "6 users are the units" in over_splits_note(found, "ndcg@10")
    assert "(3 users) count as dependent" in over_splits_note(found, "ndcg@10")
    assert "no values per user" in over_splits_note(found, "coverage@10")
    assert [row[0].text for row in pairs_grid(found, "ndcg@10").rows] == ["bert+dot − tfidf+dot"]
    best, sure, lasting = answers(found)
    assert best.answer == "bert+dot"
    assert sure.answer == "not significantly different from tfidf+dot"
    assert lasting.answer == "bert+dot has the best mean in 2 of 3 windows"


def test_a_figure_names_the_first_cell_by_its_own_metric(store):
    runs = runs_of(store, BALANCED, USERS)
    wide = [replace(run, metrics={**run.metrics, "test/coverage@10": 0.5}) for run in runs if "tfidf" in run.name]
    found = pooled(store, [*wide, *(run for run in runs if "bert" in run.name)])
    told = [over_splits_figure(found, metric).alternative for metric in ("ndcg@10", "coverage@10")]
    assert "bert+dot is first over all windows, and has the best mean in 2 of 2" in told[0]
    assert "tfidf+dot is first over all windows, and has the best mean in 2 of 2" in told[1]


def test_a_figure_of_many_cells_tells_that_it_has_the_baseline_too(store):
    values = {month: {f"e{n}": [0.9 - n / 20, 0.5, 0.4] for n in range(9)} for month in BALANCED}
    found = compare_windows(runs_of(store, values, USERS), store, "e8+dot", ["ndcg@10"])
    reading = over_splits_figure(found, "ndcg@10").reading
    assert "The first 6 of 9 cells and the baseline are drawn; the table has all." in reading


def test_the_caption_of_a_single_cell_is_about_its_interval(store):
    only = {month: {"bert": own["bert"]} for month, own in BALANCED.items()}
    found = compare_windows(runs_of(store, only, USERS), store, None, ["ndcg@10", "coverage@10"])
    assert over_splits_note(found, "ndcg@10").startswith("The mean over the 6 queries of all windows, with the 95%")
    assert "no values per user" in over_splits_note(found, "coverage@10")


def test_cells_that_a_window_lacks_are_left_out(store):
    runs = runs_of(store, BALANCED, USERS)
    runs.append(in_window(store, "2020-02", "gpt2", [1.0, 1.0, 1.0], USERS["2020-02"]))
    found = pooled(store, runs)
    assert found.left_out == ["gpt2+dot"]
    assert "Left out, since not all windows have them: gpt2+dot." in over_splits_note(found, "ndcg@10")
    bert, gpt2 = runs[0], runs[-1]
    with pytest.raises(ComparisonError, match="the windows share no cell by label"):
        compare_windows([bert, gpt2], store, None, ["ndcg@10"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": {"min_rating": 4}}, r"split\.min_rating: null in window 1; 4 in window 2"),
        ({"protocol": {"candidates": "few"}}, r'candidates: "all" in window 1; "few" in window 2'),
        ({"seed": 1}, r"seeds: \[0\] in window 1; \[1\] in window 2"),
    ],
)
def test_windows_that_differ_in_more_than_their_cuts_are_refused(store, changes, message):
    runs = runs_of(store, {"2020-01": BALANCED["2020-01"]}, USERS)
    runs += [
        in_window(store, "2020-02", cell, own, USERS["2020-02"], **changes) for cell, own in BALANCED["2020-02"].items()
    ]
    with pytest.raises(ComparisonError, match=message):
        pooled(store, runs)


def test_overlapping_tests_one_window_and_runs_without_time_are_refused(store):
    runs = runs_of(store, {"2020-02": BALANCED["2020-02"]}, USERS)
    with pytest.raises(ComparisonError, match="at least two windows; these are in 1"):
        pooled(store, runs)
    longer = [
        in_window(store, "2020-01", cell, own, USERS["2020-01"], until="2020-02-09")
        for cell, own in BALANCED["2020-01"].items()
    ]
    with pytest.raises(ComparisonError, match="the test of window 2 begins on 2020-02-01, before that of window 1"):
        pooled(store, [*longer, *runs])
    with pytest.raises(ComparisonError, match="has no period of its test"):
        pooled(store, [replace(run, data_statistics={}) for run in runs])


@pytest.mark.slow
def test_the_command_writes_each_window_and_all(store):
    runs_of(store, BALANCED, USERS)
    overrides = [f"paths.runs_dir={store.root}", "across=windows", "baseline=tfidf+dot", "report_metrics=[ndcg@10]"]
    console = Console(file=io.StringIO(), width=160)
    compare_command(compose([*overrides, "formats=[md,html,csv]"], "compare"), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.index(" window 1 ") < text.index(" window 2 ") < text.index("all 2 windows")
    folder = store.root / "reports" / "comparison"
    assert (folder / "window_1" / "report.md").is_file()
    report = (folder / "over_time.md").read_text()
    assert "| window 2 | 2020-02-01 | 2020-02-28 | 3 | 3 | bert+dot |" in report
    page = (folder / "over_time.html").read_text()
    assert "Does the order last?" in page
    assert "window 1\\n2020-01-01" in page
    assert (folder / "over_time.csv").read_text().startswith("nDCG@10,")
