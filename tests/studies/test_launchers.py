"""Every launcher gives the runs that this process gives; a worker that dies is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from full import only_full
from studies.conftest import contents
from toys import Toy, toy_perform

from recsys.config.compose import build
from recsys.schema import StoreError
from recsys.studies.jobs import JOB_FAILED, MADE, Job
from recsys.studies.launchers.joblib import _silence_manager
from recsys.studies.runner import run_study

ONE_SEED = ["study.seeds=[0]"]
TWO_RUNS = '{text: ["encoder=tfidf", "encoder.n_components=8", "ranker=dot"]}'
LOCAL = {
    "joblib": ["launcher=joblib", "launcher.n_workers=2"],
    "ray": ["launcher=ray", "launcher.n_cpus=2"],
    "slurm": ["launcher=slurm", "launcher.cluster=local", "launcher.poll_seconds=0.1"],
}

# Their workers import everything anew: 20 s of computing time for each pair of workers.
JOBLIB_FIRST = ["joblib", *(pytest.param(name, marks=only_full) for name in LOCAL if name != "joblib")]


@pytest.fixture(autouse=True)
def _workers_find_this_module(monkeypatch):
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parent)]))


@pytest.fixture(scope="module")
def here(tmp_path_factory, cache_dir):
    from studies.conftest import maker

    store = tmp_path_factory.mktemp("here")
    run_study(maker(store, cache_dir)(*ONE_SEED, cells=TWO_RUNS))
    return contents(store)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", JOBLIB_FIRST)
def test_runs_are_the_same_wherever_they_are_made(launcher, here, study_of, tmp_path):
    result = run_study(study_of(*ONE_SEED, *LOCAL[launcher], cells=TWO_RUNS))
    assert result.failures == []
    assert result.n_made == 2
    made = contents(tmp_path / "runs")
    assert made.keys() == here.keys()
    for run_id, (status, metrics, *_) in here.items():
        assert made[run_id][0] == status
        assert made[run_id][1] == pytest.approx(metrics, abs=1e-6)  # threads differ, and with them sums' last bits


@only_full
@pytest.mark.parametrize("launcher", LOCAL)
def test_a_worker_that_dies_fails_its_job(launcher, study_of, monkeypatch):
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 1)  # how long it looks for the result of a dead process
    cfg = study_of(*LOCAL[launcher], *(["launcher.retries=0"] if launcher == "ray" else []))
    jobs: list[Job] = [Toy("fine"), Toy("dies")]  # type: ignore[list-item]
    outcomes = {outcome.label: outcome for outcome in build("launcher", cfg.launcher).launch(toy_perform, jobs)}
    assert outcomes["dies"].state == JOB_FAILED
    assert "its worker died" in outcomes["dies"].error
    if launcher != "joblib":  # whose pool dies as a whole
        assert outcomes["fine"].state == MADE
        assert outcomes["fine"].run_id != str(os.getpid())


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["in_process", *(pytest.param(name, marks=only_full) for name in LOCAL)])
def test_a_full_disk_ends_the_study(launcher, study_of):
    cfg = study_of(*LOCAL.get(launcher, []))
    with pytest.raises(StoreError, match="cannot write /store: no space"):
        list(build("launcher", cfg.launcher).launch(toy_perform, [Toy("full")]))  # type: ignore[list-item]


def test_one_worker_of_joblib_is_this_process_and_lives_on(study_of, monkeypatch):
    watched: list[int] = []
    monkeypatch.setattr("recsys.studies.launchers.joblib.end_with_parent", watched.append)
    launcher = build("launcher", study_of("launcher=joblib", "launcher.n_workers=1").launcher)
    outcomes = list(launcher.launch(toy_perform, [Toy("fine")]))
    assert [outcome.run_id for outcome in outcomes] == [str(os.getpid())]
    assert not watched, "it would end with the parent of this process, and at once, since that is another"


def test_a_stopped_study_prints_no_error_of_lokys_thread(monkeypatch):
    said = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    _silence_manager()
    for name, error in (("ExecutorManagerThread", KeyError), ("ExecutorManagerThread", ValueError), ("own", KeyError)):
        thread = threading.Thread(target=raising, args=[error], name=name)
        thread.start()
        thread.join()
    assert [(args.thread.name, args.exc_type) for args in said] == [
        ("ExecutorManagerThread", ValueError),
        ("own", KeyError),
    ]


def raising(error):
    raise error(50)
