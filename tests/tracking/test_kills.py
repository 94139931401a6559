"""A run that is killed at any of its file events, and given again, ends as if it had never been killed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from commands import Command
from full import FULL

import recsys
from recsys.tracking.store import Store

SMALL = ["data=synthetic", "data.n_users=40", "data.n_items=30", "data.n_interactions=300", "data.cold_user_share=0"]
SMALL += ["encoder=none", "ranker=cf", "features.dim=4", "trainer.max_epochs=2", "logger=none", "num_threads=1"]
SMALL += ["trainer.enable_progress_bar=false", "trainer.enable_model_summary=false"]
SCRIPT = """
import os, sys
store, kill_at = sys.argv[1], int(sys.argv[2])
events = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "open")
n_events = 0

def audit(event, arguments):
    global n_events
    if event in events and any(store in str(argument) for argument in arguments):
        n_events += 1
        if n_events == kill_at:
            os.kill(os.getpid(), 9)

sys.addaudithook(audit)
import recsys
recsys.run(sys.argv[3:])
print("events", n_events, flush=True)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache_dir) -> tuple[int, dict]:
    """The number of file events of a run, and what the run gave."""
    store = tmp_path_factory.mktemp("undisturbed") / "runs"
    recsys.run(overrides(store, cache_dir))  # reads the data into the cache
    second = store.parent / "second"
    done = start(second, cache_dir, kill_at=0).finish()
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]), given(second)


@pytest.mark.slow
def test_a_run_killed_at_a_file_event_ends_as_if_never_killed(undisturbed, tmp_path, cache_dir):
    n_events, expected = undisturbed
    assert n_events > 20
    moments = range(1, n_events + 1) if FULL else random.Random(0).sample(range(1, n_events + 1), 2)
    for moment in moments:
        store = tmp_path / str(moment)
        assert start(store, cache_dir, kill_at=moment).finish().returncode == -9, moment
        recsys.run(overrides(store, cache_dir))
        assert given(store) == expected, moment
        (run_id,) = expected
        left = {path.name for path in (store / run_id).iterdir()}
        assert left == {".lock", "record.json", "per_user.parquet", "model.safetensors"}, moment


def overrides(store: Path, cache: Path) -> list[str]:
    return [*SMALL, f"paths.runs_dir={store}", f"paths.cache_dir={cache}"]


def start(store: Path, cache: Path, kill_at: int) -> Command:
    """A process that makes the run and kills itself before a file event; 0 is never."""
    script = store.parent / "killed.py"
    script.write_text(SCRIPT)
    return Command(script, str(store), str(kill_at), *overrides(store, cache), cwd=store.parent)


def given(folder: Path) -> dict:
    """What the runs of a store gave, to the last bit."""
    store = Store(folder)
    return {
        record.run_id: (
            record.metrics,
            record.curve,
            record.checksums,
            store.per_user(record.run_id).fill_nan(None).to_dicts(),
        )
        for record in store.records()
    }
