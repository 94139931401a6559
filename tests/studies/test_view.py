"""What a study shows while it runs, and before."""

from __future__ import annotations

import io

import pytest
from full import only_full
from rich.console import Console
from studies.conftest import contents

from recsys.commands.study import run as study_command
from recsys.schema import StoreError
from recsys.studies import dry_run
from recsys.studies.estimate import Durations, Kind, Work
from recsys.studies.plan import plan
from recsys.studies.runner import run_jobs, run_study, tune_study
from recsys.studies.view import StudyView
from recsys.tracking.store import Store


def shown(view: StudyView) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(view.render())
    return console.export_text()


@pytest.mark.slow
def test_the_view_tells_what_is_done_running_failed_and_best(study_of, tmp_path):
    cfg = study_of()
    view = StudyView(cfg, Console(force_terminal=True))
    jobs = run_jobs(cfg, plan(cfg))
    view.begin(jobs)
    assert "0/6 runs: 0 done, 0 failed" in shown(view)
    view._is_recorded = lambda job: job is jobs[0]
    assert "6 runs of 3 cells (" in view._header()
    assert "; 1 of them is already in " in view._header()
    assert "left unknown" in shown(view)
    seen: list[str] = []
    told = view.told

    def tell(outcome):
        told(outcome)
        seen.append(shown(view))

    view.told = tell
    run_study(cfg, progress=view)
    assert "6/6 runs: 6 done, 0 failed" in seen[-1]
    assert "best so far: " in seen[-1]
    assert "left about" in seen[2]
    with Store(tmp_path / "runs").lock(next(iter(contents(tmp_path / "runs")))):
        view.ended.clear()
        assert "running: " in shown(view)


@pytest.mark.slow
def test_outside_a_terminal_each_run_is_a_line(study_of, capsys):
    cfg = study_of("study.seeds=[0]")
    run_study(cfg, progress=StudyView(cfg, Console(width=40)))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("[")] == [
        "[1/3] popularity seed 0",
        "[2/3] cf seed 0",
        "[3/3] text seed 0",
    ]


@pytest.mark.slow
def test_a_dry_run_says_what_is_done_and_how_long_the_rest_will_take(study_of, capsys):
    study_command(study_of("dry_run=true"))
    assert "6 runs to do, 1 at a time: no run in the store to estimate the time from" in capsys.readouterr().out
    run_study(study_of("study.seeds=[0]"))
    study_command(study_of("dry_run=true"))
    said = capsys.readouterr().out
    assert said.count("finished") == 3
    assert "3 runs to do, 1 at a time: about" in said
    study_command(study_of("dry_run=true", "search=tpe"))
    assert "5 runs to do after 40 trials, 1 at a time: about" in capsys.readouterr().out


@pytest.mark.slow
def test_a_dry_run_of_a_search_counts_its_trials_and_makes_no_file(study_of, tmp_path, capsys):
    search = ["search=random", "search.n_trials=2", "study.seeds=[0]"]
    study_command(study_of(*search, "dry_run=true"))
    assert "3 runs to do after 4 trials, 1 at a time: no run in the store" in _said(capsys)
    assert not (tmp_path / "runs").exists()
    tune_study(study_of(*search))
    study_command(study_of(*search, "search.n_trials=5", "dry_run=true"))
    said = _said(capsys)
    assert "3 runs to do after 6 trials, 1 at a time: about" in said
    run_study(study_of(*search))
    before = sorted((tmp_path / "runs").rglob("*"))
    study_command(study_of(*search, "study.seeds=[0,1]", "dry_run=true"))
    said = _said(capsys)
    assert said.count("1 finished, ") == 3
    assert "3 runs to do, 1 at a time: about" in said
    assert sorted((tmp_path / "runs").rglob("*")) == before
    study_command(study_of(*search, "dry_run=true"))
    assert "All runs are finished." in _said(capsys)


@pytest.mark.slow
def test_a_dry_run_names_a_search_whose_trials_all_failed(study_of, capsys):
    bad = '{cf: ["encoder=none","ranker=cf"], bad: ["ranker=dot"]}'
    space = "study.space={optimizer.lr: {choice: [1.0e+38]}}"
    search = ["search=random", "search.defaults_first=false", "search.n_trials=1", space, "study.seeds=[0]"]
    tune_study(study_of(*search, cells=bad))
    study_command(study_of(*search, "dry_run=true", cells=bad))
    said = _said(capsys)
    assert said.count("1 tuning failed") == 2
    assert "2 runs failed; retry_failed=true makes them again. 1 run to do, 1 at a time" in said
    study_command(study_of(*search, "dry_run=true", "retry_failed=true", cells=bad))
    assert "3 runs to do after 2 trials" in _said(capsys)


def test_a_dry_run_says_once_what_is_not_searched(study_of, capsys):
    fixed = '{a: ["ranker=itemknn", "ranker.weighting=tfidf"], b: ["ranker=itemknn", "ranker.weighting=cosine"]}'
    cells = fixed[:-1] + ', c: ["ranker=itemknn", "ranker.weighting=tfidf", "ranker.n_neighbors=7"]}'
    study_command(study_of("search=random", "dry_run=true", "study.space={}", cells=cells))
    said = _said(capsys)
    assert "ranker.weighting is not searched (ranker.weighting=tfidf): a, c." in said
    assert "ranker.weighting is not searched (ranker.weighting=cosine): b." in said


def test_a_dry_run_hides_no_other_error(study_of, monkeypatch):
    def unusable(*_):
        raise StoreError("the storage cannot be used")

    monkeypatch.setattr(dry_run, "so_far", unusable)
    with pytest.raises(StoreError, match="cannot be used"):
        study_command(study_of("search=random", "dry_run=true"))


def _said(capsys) -> str:
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_the_view_shows_the_trials_of_the_cells_that_are_tuned_now(study_of):
    cfg = study_of("search=random", "search.n_trials=2")
    view = StudyView(cfg, Console(force_terminal=True))
    left: list[str] = []
    told = view.told

    def tell(outcome):
        left.append(shown(view))
        told(outcome)

    view.told = tell
    tune_study(cfg, view)
    assert "tuning: " not in left[0]  # popularity has no trials
    words = [view._line(outcome).partition("] ")[2].rpartition(", ")[0] for outcome in view.ended.values()]
    assert words[1:] == ["cf tuned: made, 2 trials", "text tuned: made, 2 trials"]
    assert view._line(next(iter(view.ended.values()))).endswith("popularity: nothing to tune")
    view.console = Console(file=io.StringIO())
    tune_study(cfg, view)
    assert view.console.file.getvalue().count("tuning of") == 0  # the same header was printed before
    assert view._line(view.ended["cf", None]).split(", ")[:2] == ["[3/3] cf tuned: found", "2 trials"]
    assert "tuning: cf, trial 2 of 2" in left[1]
    assert "tuning: text, trial 2 of 2" in left[2]


def test_durations_are_those_of_the_most_similar_runs():
    durations = Durations([])
    durations.add(Kind("a", "cf"), 10.0)
    durations.add(Kind("a", "cf", is_tested=False), 4.0)
    durations.add(Kind("a", "dot"), 20.0)
    assert durations.of(Kind("a", "cf")) == 10.0
    assert durations.of(Kind("a", "cf", is_tested=False)) == 4.0
    assert durations.of(Kind("a", "dot", is_tested=False)) == 20.0  # the same name, tested
    assert durations.of(Kind("a", "new")) == 15.0
    assert durations.of(Kind("a", "new", is_tested=False)) == 4.0
    assert durations.of(Kind("b", "cf")) is None
    assert durations.total([Work(Kind("a", "cf")), Work(Kind("a", "dot"))], n_workers=2) == 15.0
    assert durations.total([Work(Kind("a", "cf"), 3), Work(Kind("b", "cf"), 0)]) == 30.0
    assert durations.total([Work(Kind("a", "cf"), 9, limit=40.0)]) == 45.0  # the last one ends after the limit
    assert Durations([]).total([Work(Kind("a", "cf"))]) is None


@only_full
def test_trials_and_tested_runs_have_times_of_their_own(study_of, tmp_path):
    run_study(study_of("study.seeds=[0]", "search=random", "search.n_trials=1"))
    records = [record for record in Store(tmp_path / "runs").records() if record.name == "cf"]
    durations = Durations(records)
    for record in records:
        expected = record.times["total"] - record.times["encode"]  # which only the first run does
        assert durations.of(Kind("synthetic", "cf", bool(record.config["test"]))) == expected
    assert {record.config["test"] for record in records} == {True, False}
