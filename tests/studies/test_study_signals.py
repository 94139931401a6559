"""A study that is ended takes its workers with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import SCRIPTS
from full import only_full
from studies.conftest import overrides

pytestmark = only_full  # new workers import everything anew
SECONDS = 5  # from the signal to the end of the last process
ENDLESS = '{cf: ["encoder=none", "ranker=cf"], mlp: ["encoder=none", "ranker=neumf"]}'
LONG = ["trainer.max_epochs=100000", "callbacks.early_stopping.patience=100000"]


LAUNCHER = """
from recsys.studies.launchers.joblib import JoblibLauncher
from recsys.support.interruption import stoppable
from toys import Toy, toy_perform
with stoppable():
    list(JoblibLauncher(n_workers=2).launch(toy_perform, [Toy("waits"), Toy("waits")]))
"""
ENDS = pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGINT, 130),
    ],
)


@ENDS
def test_workers_end_with_their_launcher(number, status, tmp_path):
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    arguments = [sys.executable, "-c", LAUNCHER]
    _check_that_workers_end(arguments, lambda: tmp_path.glob("*.waits"), number, status, tmp_path, PYTHONPATH=path)


@ENDS
def test_workers_end_with_their_study(number, status, tmp_path, cache_dir):
    store = tmp_path / "runs"
    cells = ENDLESS.replace('"]', f'", {", ".join(f"{chr(34)}{own}{chr(34)}" for own in LONG)}]')
    further = ["study.baselines=[]", "study.baseline=null", "launcher=joblib", "launcher.n_workers=2"]
    arguments = [sys.executable, SCRIPTS / "study.py", *overrides(store, cache_dir, *further, cells=cells)]
    _check_that_workers_end(arguments, lambda: store.glob("*/checkpoints/last.ckpt"), number, status, tmp_path)


def _check_that_workers_end(arguments, begun, number, status, cwd, **environment: str) -> None:
    """Start a process, wait until both of its workers have begun, and send it the signal."""
    mark = cwd.name
    process = subprocess.Popen(
        arguments,
        env={**os.environ, "OMP_NUM_THREADS": "1", "RECSYS_TEST_MARK": mark, **environment},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.poll() is None and len(list(begun())) < 2:
            time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        assert len(_alive(mark)) >= 3
        start = time.monotonic()
        process.send_signal(number)
        said = "".join(process.communicate(timeout=60))
        while (left := _alive(mark)) and time.monotonic() < start + SECONDS:
            time.sleep(0.05)
    finally:
        for pid in _alive(mark):
            os.kill(pid, signal.SIGKILL)
    assert left == []
    assert process.returncode == status
    assert "Traceback" not in said
    assert said.count("stopped by") == (number != signal.SIGKILL)


def _alive(mark: str) -> list[int]:
    """Processes with this mark in their environment, which children inherit."""
    wanted, found = f"RECSYS_TEST_MARK={mark}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                wanted in (folder / "environ").read_bytes().split(b"\0")
                and b"\nState:\tZ" not in (folder / "status").read_bytes()
            ):
                found.append(int(folder.name))
        except OSError:  # ended meanwhile, or of somebody else
            continue
    return found
