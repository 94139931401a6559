from __future__ import annotations

import io
from dataclasses import replace

import pytest
from reports.made_runs import failed_run, made_run
from rich.console import Console

from recsys.commands.compare import run as compare_command
from recsys.config.compose import compose
from recsys.reports.across import compare_across
from recsys.reports.ranks import ranks_grid, ranks_note
from recsys.schema import ComparisonError, ConfigError
from recsys.tracking.record import FAILED, Record
from recsys.tracking.store import Store

# Means of ndcg@10; on the last data set bert and tfidf tie.
MEANS = {
    "books": {"bert": 0.4, "tfidf": 0.3, "random": 0.1},
    "films": {"bert": 0.6, "tfidf": 0.5, "random": 0.2},
    "news": {"bert": 0.3, "tfidf": 0.3, "random": 0.1},
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def protocol(data: str, split: str = "random") -> dict[str, object]:
    return {"data": data, "data_fingerprint": f"of {data}", "split": split, "split_fingerprint": f"{split} of {data}"}


def make(store: Store, data: str, encoder: str, mean: float, split: str = "random") -> Record:
    values = [mean - 0.1, mean, mean, mean + 0.1]
    return made_run(store, encoder, "dot", 0, values, config={"file": data}, protocol=protocol(data, split))


def study(store: Store) -> list[Record]:
    return [make(store, data, encoder, mean) for data, own in MEANS.items() for encoder, mean in own.items()]


def test_a_failed_run_is_of_the_data_that_its_settings_name(store):
    runs = []
    for name, own in (("films", [0.5, 0.2]), ("books", [0.4, 0.3])):
        table = {"choices": {"data": "table"}, "config": {"data": {"name": name}}}
        protocol = {"data": name, "data_fingerprint": name}
        runs += [made_run(store, "none", cell, 0, own, protocol=protocol, **table) for cell in ("cf", "popularity")]
    lost = {"protocol": {}, "status": FAILED, "error": "RuntimeError: no memory", "metrics": {}}
    runs.append(made_run(store, "none", "ease", 0, [0.0, 0.0], **lost, **table))
    found = compare_across(runs, store, "popularity", ["ndcg@10"])
    assert {name: len(own.failures) for name, own in found.comparisons.items()} == {"books": 1, "films": 0}


def test_each_data_set_has_its_comparison_and_all_have_ranks(store):
    found = compare_across(study(store), store, "tfidf+dot", ["ndcg@10", "coverage@10"])
    assert list(found.comparisons) == ["books", "films", "news"]
    difference = found.comparisons["films"].row("bert+dot").scores["ndcg@10"].difference
    assert difference is not None
    assert difference.mean == pytest.approx(0.1)
    ranks = found.critical_differences["ndcg@10"]
    assert ranks.labels == ["bert+dot", "tfidf+dot", "random+dot"]
    assert ranks.average_ranks == pytest.approx([(1 + 1 + 1.5) / 3, (2 + 2 + 1.5) / 3, 3])
    assert ranks.ranks == [[1, 2, 3], [1, 2, 3], [1.5, 1.5, 3]]
    assert found.critical_differences["coverage@10"].average_ranks == [2, 2, 2]
    assert (found.left_out, found.warnings) == ([], [])


def test_ranks_as_a_table(store):
    found = compare_across(study(store), store, None, ["ndcg@10"])
    grid = ranks_grid(found, "ndcg@10")
    assert grid.headers == ["nDCG@10", "average rank", "group", "books", "films", "news"]
    assert [entry.text for entry in grid.rows[0]] == [
        "bert+dot",
        "1.17",
        "a",
        "0.4000 (1)",
        "0.6000 (1)",
        "0.3000 (1.5)",
    ]
    assert grid.rows[0][1].is_best
    note = ranks_note(found, "ndcg@10")
    # 2.3437 √(3 × 4 / (6 × 3)) = 1.91
    assert "Average ranks that are 1.91 apart differ significantly (Nemenyi, 0.05)" in note
    # of the 36 ways to permute the second and the third ranks, only those that leave them as they are give rank sums as
    # far apart as 3.5, 5.5 and 9: two, since the third has a tie
    assert f"Friedman's test that all cells are equal: p = {2 / 36:.3f} by permutation of ranks" in note
    assert "more data sets" not in note


def test_too_few_data_sets_to_tell_anything_are_said_to_be(store):
    runs = [run for run in study(store) if run.protocol["data"] != "news"]
    note = ranks_note(compare_across(runs, store, None, ["ndcg@10"]), "ndcg@10")
    assert "No two of 3 cells can be so far apart: a significant difference needs more data sets" in note  # 2.34 > 2


def test_cells_that_a_data_set_lacks_are_left_out_and_named(store):
    runs = [*study(store), make(store, "books", "gpt2", 0.9), failed_run(store, "llm", "dot", 0)]
    runs[-1] = Record(**{**runs[-1].__dict__, "protocol": protocol("news"), "protocol_fingerprint": ""})
    found = compare_across(runs, store, None, ["ndcg@10"])
    assert found.left_out == ["gpt2+dot"]
    assert found.critical_differences["ndcg@10"].labels == ["bert+dot", "tfidf+dot", "random+dot"]
    assert "Left out, since not all data sets have them: gpt2+dot." in ranks_note(found, "ndcg@10")
    assert [run.name for run in found.comparisons["news"].failures] == ["llm+dot"]


def test_protocols_that_differ_in_more_than_the_data_are_warned_of(store):
    runs = [run for run in study(store) if run.protocol["data"] != "news"]
    runs += [make(store, "news", encoder, mean, "temporal") for encoder, mean in MEANS["news"].items()]
    (warning,) = compare_across(runs, store, None, ["ndcg@10"]).warnings
    assert "split differs between the data sets" in warning
    assert '"random" on books, "random" on films, "temporal" on news' in warning


def test_several_protocols_on_one_data_set_are_refused_by_name(store):
    runs = [*study(store), make(store, "films", "gpt2", 0.5, "temporal")]
    with pytest.raises(ComparisonError, match=r"on films: these runs have different protocols[\s\S]*split: \"random\""):
        compare_across(runs, store, None, ["ndcg@10"])


def test_one_data_set_under_two_names_is_one(store):
    runs = study(store)
    renamed = [{**run.protocol, "data": "cinema"} if run.name.startswith("bert") else run.protocol for run in runs]
    again = [replace(run, protocol=own) for run, own in zip(runs, renamed, strict=True)]
    assert len(compare_across(again, store, None, ["ndcg@10"]).comparisons) == len(MEANS)


def test_too_little_to_rank_is_refused(store):
    runs = study(store)
    with pytest.raises(ComparisonError, match="at least two data sets; these are of books"):
        compare_across(runs[:3], store, None, ["ndcg@10"])
    with pytest.raises(ComparisonError, match="share 1 cells"):
        compare_across([runs[0], runs[1], runs[3], runs[5]], store, None, ["ndcg@10"])


@pytest.mark.slow
def test_the_command(store):
    study(store)
    overrides = [f"paths.runs_dir={store.root}", "across=data", "baseline=tfidf+dot", "report_metrics=[ndcg@10]"]
    console = Console(file=io.StringIO(), width=140)
    compare_command(compose([*overrides, "formats=[md]"], "compare"), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.index(" books ") < text.index(" films ") < text.index(" news ") < text.index("all 3 data sets")
    assert "average rank" in text
    folder = store.root / "reports" / "comparison"
    assert (folder / "films" / "report.md").is_file()
    report = (folder / "critical_difference.md").read_text()
    assert "| bert+dot | **1.17** | a | 0.4000 (1) |" in report
    assert "across=data" in report
    with pytest.raises(ConfigError, match="across=split; expected data"):
        compare_command(compose([overrides[0], "across=split"], "compare"), console)


@pytest.mark.slow
def test_the_command_judges_as_configured(store):
    for encoder, mean in MEANS["books"].items():
        make(store, "books", encoder, mean)
    keys = ["test=randomisation", "correction=benjamini_hochberg", "level=0.8", "n_resamples=500", "formats=[]"]
    console = Console(file=io.StringIO(), width=140)
    found = compare_command(compose([f"paths.runs_dir={store.root}", "baseline=tfidf+dot", *keys], "compare"), console)
    text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "p (Benjamini-Hochberg)" in text
    assert "80% interval over users" in text
    test = "paired randomisation test over users (one seed: for new users only)"
    assert f"p < 0.2 in a {test}, Benjamini-Hochberg-corrected for 2 comparisons" in text
    # four equal differences: 2 of 16 ways of giving signs
    assert found.row("bert+dot").scores["ndcg@10"].difference.p == 1 / 8  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="test=wilcoxon; expected t or randomisation"):
        compare_command(compose([f"paths.runs_dir={store.root}", "test=wilcoxon"], "compare"), console)
