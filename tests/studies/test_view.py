"""What a study shows while it runs, and before."""

from __future__ import annotations

from pathlib import Path

import pytest
from full import only_full
from rich.console import Console
from studies.conftest import contents

from recsys.commands.study import run as study_command
from recsys.studies.estimate import Durations
from recsys.studies.plan import plan
from recsys.studies.runner import run_jobs, run_study
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
    assert "6 runs to do after 3 × 20 trials, 1 at a time: about" in capsys.readouterr().out


@only_full
def test_durations_are_those_of_runs_of_the_same_name(study_of, tmp_path):
    run_study(study_of("study.seeds=[0]"))
    records = Store(tmp_path / "runs").records()
    durations = Durations(records)
    own = next(record for record in records if record.name == "cf")
    data = own.choices["data"]
    assert durations.of((data, "cf")) == own.times["total"]
    mean = sum(record.times["total"] for record in records) / len(records)
    assert durations.of((data, "new")) == mean
    assert durations.total([(data, "cf"), (data, "new")], n_workers=2) == (own.times["total"] + mean) / 2
    assert durations.of(("other_data", "cf")) is None
    assert Durations([]).total([(data, "cf")]) is None
    assert Path(tmp_path / "runs").is_dir()
