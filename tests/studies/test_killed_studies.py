"""A study that is killed at any of its file events, and given again, ends as if it had never been killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Command
from full import FULL
from in_process import call
from studies.conftest import contents

import recsys
from recsys.studies.runner import run_study
from recsys.tracking.study_record import StudyRecord

N_KILLS, N_TRIALS = (60, 3) if FULL else (1, 2)
MOMENT = 60  # of the one kill of the short form: in the second trial
TINY = ["data=synthetic", "data.n_users=40", "data.n_items=30", "data.n_interactions=300", "data.cold_user_share=0"]
COMMON = [*TINY, "encoder=none", "features.dim=4", "trainer.max_epochs=2", "logger=none", "num_threads=1"]
STUDY = [
    "study=default",
    "study.name=killed",
    f"study.common={json.dumps(COMMON)}",
    'study.cells={cf: ["ranker=cf"]}',
    'study.baselines=[["ranker=popularity"]]' if FULL else "study.baselines=[]",
    "study.seeds=[0]",
    "study.metrics=[ndcg@10]",
    "search=tpe",
    f"search.n_trials={N_TRIALS}",
    "search.sampler.n_startup_trials=2",
    "formats=[md]",
]
SCRIPT = """
import os, sys
store, kill_at = sys.argv[1], int(sys.argv[2])
events = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "open", "sqlite3.connect")
n_events = 0

def audit(event, arguments):
    global n_events
    if event in events and any(store in str(argument) for argument in arguments):
        n_events += 1
        if n_events == kill_at:
            os.kill(os.getpid(), 9)

sys.addaudithook(audit)
from recsys.commands.main import main
sys.argv[1:] = ["study", *sys.argv[3:]]
try:
    main()
finally:
    print("events", n_events, flush=True)
"""


@pytest.mark.slow
def test_a_study_killed_at_a_file_event_ends_as_if_never_killed(tmp_path, cache_dir):
    go_on(tmp_path / "runs", cache_dir)  # reads the data into the cache
    expected, wrong = given(tmp_path / "runs"), []
    for moment in moments(tmp_path / "counted", cache_dir) if FULL else [MOMENT]:
        store = tmp_path / str(moment)
        assert start(store, cache_dir, kill_at=moment).finish().returncode == -9, moment
        go_on(store, cache_dir)
        if given(store) != expected:
            wrong.append(moment)
    assert not wrong


def moments(store: Path, cache: Path) -> list[int]:
    """File events at equal distances, out of those of a study that is not killed."""
    done = start(store, cache, kill_at=0).finish()
    assert done.returncode == 0, done.stderr
    n_events = int(done.stdout.split()[-1])
    assert n_events > 2 * N_KILLS
    return [1 + (2 * number + 1) * n_events // (2 * N_KILLS) for number in range(N_KILLS)]


def overrides(store: Path, cache: Path) -> list[str]:
    return [*STUDY, f"paths.runs_dir={store}", f"paths.cache_dir={cache}"]


def go_on(store: Path, cache: Path) -> None:
    """Give the command of the study; the short form calls what the command does before its report."""
    if FULL:
        said = call("study", overrides(store, cache))
        assert said.status == 0, said.error
    else:
        assert not run_study(recsys.compose(overrides(store, cache), "study")).failures


def start(store: Path, cache: Path, kill_at: int) -> Command:
    """A process that runs the study and kills itself before a file event; 0 is never."""
    script = store.parent / "killed.py"
    script.write_text(SCRIPT)
    return Command(script, str(store), str(kill_at), *overrides(store, cache), cwd=store.parent)


def given(store: Path) -> dict:
    """What a study gave, to the last bit: its runs, those of its trials, and what its search tried and chose."""
    cells = StudyRecord.read(store, "killed").cells
    trials = {cell.label: [(t.number, t.parameters, t.state, t.value) for t in cell.trials] for cell in cells}
    chosen = {cell.label: (cell.parameters, cell.run_ids) for cell in cells}
    return {"runs": contents(store), "trials": trials, "chosen": chosen}
