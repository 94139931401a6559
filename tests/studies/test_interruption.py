"""Studies as processes: killed at any moment, two at once, on a disk that is full."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from commands import Command
from full import FULL, only_full
from studies.conftest import contents, overrides

import recsys
from recsys.studies.runner import run_study
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord

ONE = '{text: ["encoder=tfidf", "encoder.n_components=8", "ranker=dot"]}'
N_KILLS = 4
TUNED = ["search=tpe", "search.n_trials=3", "search.sampler.n_startup_trials=2"]
TUNED += [] if FULL else ["study.seeds=[0]"]


def start(store: Path, cache: Path, *further: str, largest_file: int | None = None) -> Command:
    return Command("study", *chosen(store, cache, *further), cwd=store.parent, largest_file=largest_file)


def chosen(store: Path, cache: Path, *further: str) -> list[str]:
    return overrides(store, cache, *further, cells=ONE, knowledge="refit" if FULL else "train")


def make_here(store: Path, cache: Path, *further: str) -> None:
    """The study in this process, without its report."""
    assert not run_study(recsys.compose(chosen(store, cache, *further), "study")).failures


def finish(command: Command) -> tuple[int, str]:
    done = command.finish()
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache_dir) -> Path:
    store = tmp_path_factory.mktemp("undisturbed")
    make_here(store, cache_dir, *TUNED)
    return store


def n_paths(folder: Path) -> int:
    return sum(len(folders) + len(files) for _, folders, files in os.walk(folder))  # which lets paths vanish meanwhile


@only_full  # test_killed_studies.py has a kill at one file event
@pytest.mark.slow
def test_a_study_killed_at_random_moments_ends_as_if_never_killed(undisturbed, tmp_path, cache_dir):
    moments = random.Random(0)
    killed, n_kills = tmp_path / "killed", 0
    while True:
        process = start(killed, cache_dir, *TUNED)
        seen, n_further = n_paths(killed), moments.randint(1, 20)  # how far it may come, however fast the machine is
        while process.is_running() and n_paths(killed) < seen + n_further:
            time.sleep(0.01)
        if not process.is_running() or n_kills == N_KILLS:
            break
        process.kill()
        n_kills += 1
    status, said = finish(process)
    assert status == 0, said
    assert n_kills >= 2
    assert contents(killed) == contents(undisturbed)
    cells, expected = (StudyRecord.read(store, "tiny").cells for store in (killed, undisturbed))
    for cell, other in zip(cells, expected, strict=True):
        assert cell.run_ids == other.run_ids
        assert [(t.number, t.parameters, t.state, t.value) for t in cell.trials] == [
            (t.number, t.parameters, t.state, t.value) for t in other.trials
        ]


@pytest.mark.slow
def test_two_workers_share_a_study(undisturbed, tmp_path, cache_dir):
    store = tmp_path / "shared"
    workers = [start(store, cache_dir, *TUNED) for _ in range(2)]
    for status, said in map(finish, workers):
        assert status == 0, said
    cells = StudyRecord.read(store, "tiny").cells
    assert [len(cell.trials) for cell in cells] == [0, 3]  # the budget is spent once, not twice
    assert Counter(t.state for cell in cells for t in cell.trials)["running"] == 0
    records = Store(store).records()
    assert sum(record.config["test"] for record in records) == (4 if FULL else 2)
    both = contents(store).keys() & contents(undisturbed).keys()
    assert both  # popularity at least; what tuning finds depends on who asks first
    assert all(contents(store)[run_id] == contents(undisturbed)[run_id] for run_id in both)


@pytest.mark.slow
def test_a_full_disk_is_told_and_loses_nothing(tmp_path, cache_dir):
    store = tmp_path / "full"
    make_here(store, cache_dir, "study.seeds=[0]")
    before = contents(store)
    status, said = finish(start(store, cache_dir, largest_file=2000))
    assert status == 2, said
    assert "cannot write" in said
    assert "Traceback" not in said
    assert contents(store) == before
    make_here(store, cache_dir)
    assert len(contents(store)) == 4
    assert before.items() <= contents(store).items()


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write to read-only folders")
def test_a_read_only_store_is_told(tmp_path, cache_dir):
    store = tmp_path / "read_only"
    store.mkdir(mode=0o555)
    status, said = finish(start(store, cache_dir))
    assert status == 2
    assert "cannot write" in said
