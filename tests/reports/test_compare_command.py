from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from reports.made_runs import failed_run, made_run, small_study
from reports.made_study import made_study
from rich.console import Console

from recsys.commands.compare import compare_runs
from recsys.config.compose import compose
from recsys.reports.selection import select_runs
from recsys.reports.summary import print_run
from recsys.schema import ConfigError, RecsysError
from recsys.tracking.record import Record
from recsys.tracking.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def screen() -> Console:
    return Console(file=io.StringIO(), width=160)


def shown(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_compare_prints_and_writes(store):
    small_study(store)
    failed_run(store, "llm", "dot", 0)
    overrides = [f"paths.runs_dir={store.root}", "baseline=popularity", "select=[ranker:dot,ranker:popularity]"]
    console = screen()
    found = compare_runs(compose(overrides, "compare"), console)
    assert [row.label for row in found.rows] == ["bert+dot", "tfidf+dot", "popularity"]
    folder = store.root / "reports" / "comparison"
    assert sorted(path.name for path in folder.iterdir()) == [
        "figures",
        "methods.txt",
        "pairs.csv",
        "references.bib",
        "report.html",
        "report.md",
        "segments.csv",
        "table.csv",
        "table.tex",
    ]
    text = (folder / "report.md").read_text()
    assert "select=[ranker:dot,ranker:popularity]" in text
    assert text.index("## Results") < text.index("## Users") < text.index("## Cost")
    assert "not shown: " in text  # made-up runs have no weights
    text = shown(console)
    assert "0.6250 [" in text
    assert "failed: llm+dot seed 0" in text
    assert str(folder / "report.html") in text
    again = compare_runs(
        compose([*overrides, "formats=[]"], "compare"), screen()
    )  # the report's folder is not taken for a run
    assert len(again.rows) == 3


@pytest.mark.slow
def test_compare_what_a_study_tagged(store):
    runs = small_study(store)
    for run in runs[:4]:
        store.tag(run, ["demo"])
    found = compare_runs(compose([f"paths.runs_dir={store.root}", "tag=demo", "formats=[md]"], "compare"), screen())
    assert [row.label for row in found.rows] == ["bert+dot", "tfidf+dot"]
    assert (store.root / "reports" / "comparison" / "report.md").is_file()


@pytest.mark.slow
def test_compare_a_study_by_its_own_labels_baseline_and_metrics(store):
    study, _ = made_study(store, n_seeds=1, n_users=20)
    made_run(store, "bert", "elsewhere", 0, [0.5] * 20)  # of no study
    failed_run(store, "llm", "dot", 0)  # of no study either
    found = compare_runs(
        compose([f"paths.runs_dir={store.root}", "study.name=made", "formats=[html]"], "compare"), screen()
    )
    assert {row.label for row in found.rows} == {cell.label for cell in study.cells}
    assert (found.baseline, found.metrics, found.failures) == ("popularity", study.metrics, [])
    report = store.root / "reports" / "comparison"
    page = (report / "report.html").read_text()
    assert "<title>Study made" in page
    assert "Ablation of bert+dot" in page
    chosen = [
        "study.name=made",
        "baseline=cf",
        "report_metrics=[recall@10]",
        "title=Mine",
        "select=[encoder:none]",
        "formats=[md]",
    ]
    found = compare_runs(compose([f"paths.runs_dir={store.root}", *chosen], "compare"), screen())
    assert {row.label for row in found.rows} == {"popularity", "cf"}
    assert (found.baseline, found.metrics) == ("cf", ["recall@10"])
    assert (report / "report.md").read_text().startswith("# Mine\n")
    with pytest.raises(RecsysError, match=r"there is no study 'other'.*it has made"):
        compare_runs(compose([f"paths.runs_dir={store.root}", "study.name=other"], "compare"), screen())


def test_an_empty_store_is_named(store):
    with pytest.raises(ConfigError, match=f"{store.root} holds no run"):
        compare_runs(compose([f"paths.runs_dir={store.root}"], "compare"), screen())


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ([], 6),
        (["encoder:bert"], 2),
        (["encoder:bert", "encoder=tfidf"], 4),
        (["encoder=bert", "encoder=tfidf", "seed=1"], 2),
        (["ranker._target_=popularity"], 2),
    ],
)
def test_filters(store, select, expected):
    assert len(select_runs(small_study(store), select)) == expected


def test_run_ids_are_filters_too(store):
    runs = small_study(store)
    assert select_runs(runs, [runs[3].run_id, runs[0].run_id]) == [runs[0], runs[3]]
    assert select_runs(runs, [runs[3].run_id, runs[0].run_id, "encoder=bert"]) == [runs[0]]


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (["encoder:llm"], "encoder:llm, which matches no run: encoder is bert, none, tfidf"),
        (["enkoder=bert"], "no run has a key enkoder"),
        (["bert"], "expected a run's id of 12 hex digits, or a filter such as encoder:bert"),
        (["0123456789ab"], "select has 0123456789ab; there is no such run"),
    ],
)
def test_filters_that_fit_nothing_are_refused(store, select, message):
    with pytest.raises(ConfigError, match=message):
        select_runs(small_study(store), select)


def test_an_unknown_tag_is_refused(store):
    run = store.tag(small_study(store)[0], ["demo"])
    with pytest.raises(ConfigError, match="no run of the store has tag=dmo; the tags are demo"):
        select_runs([run], [], "dmo")


def test_values_are_compared_as_typed(store):
    runs = [made_run(store, "bert", "dot", 0, [0, 1], config={"cosine": cosine, "k": None}) for cosine in (True, False)]
    assert select_runs(runs, ["cosine=true"]) == runs[:1]
    assert select_runs(runs, ["k=null", "cosine=false"]) == runs[1:]


@dataclass
class Made:
    record: Record
    folder: Path


def test_one_run_is_printed(store):
    run = made_run(store, "bert", "dot", 0, [0.25, 0.5], warnings=["few [users]"], epochs=None)
    console = screen()
    print_run(Made(run, store.folder(run.run_id)), console)
    text = shown(console)
    assert "bert+dot, seed 0" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["metric", "test", "@10", "val", "@10"] in lines or ["metric", "val", "@10", "test", "@10"] in lines
    assert ["ndcg", "0.3750", "0.4750"] in lines
    assert "not trained by epochs, 12 k trained weights, peak memory 500 MB; encode 2.0 s" in text
    assert "warning: few [users]" in text
    assert str(store.folder(run.run_id)) in text


@pytest.mark.parametrize("written", ["0.001", "1e-3", "1.0E-03", ".0010"])
def test_numbers_are_selected_as_numbers(store, written):
    runs = [made_run(store, "bert", "dot", seed, [1.0, 0.5], config={"lr": lr}) for seed, lr in ((0, 0.001), (1, 0.01))]
    assert select_runs(runs, [f"lr:{written}"]) == runs[:1]


def test_a_misspelt_key_of_a_filter_gets_the_nearest(store):
    with pytest.raises(ConfigError, match=r"no run has a key encodr; did you mean encoder\?"):
        select_runs(small_study(store), ["encodr:bert"])
