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

SECONDS = 5  # from the signal to the end of the last process
ENDLESS = '{cf: ["encoder=none", "ranker=cf"], mlp: ["encoder=none", "ranker=neumf"]}'
LONG = ["trainer.max_epochs=100000", "callbacks.early_stopping.patience=100000"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, 130, marks=only_full),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, marks=only_full),
    ],
)
def test_workers_end_with_their_study(number, status, tmp_path, cache_dir):
    store, mark = tmp_path / "runs", tmp_path.name
    cells = ENDLESS.replace('"]', f'", {", ".join(f"{chr(34)}{own}{chr(34)}" for own in LONG)}]')
    further = ["study.baselines=[]", "study.baseline=null", "launcher=joblib", "launcher.n_workers=2"]
    arguments = overrides(store, cache_dir, *further, cells=cells)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RECSYS_TEST_MARK": mark}
    study = subprocess.Popen(
        [sys.executable, SCRIPTS / "study.py", *arguments],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while study.poll() is None and len(list(store.glob("*/checkpoints/last.ckpt"))) < 2:
            time.sleep(0.1)
        assert study.poll() is None, study.communicate()
        assert len(_alive(mark)) >= 3
        start = time.monotonic()
        study.send_signal(number)
        said = "".join(study.communicate(timeout=60))
        while (left := _alive(mark)) and time.monotonic() < start + SECONDS:
            time.sleep(0.05)
    finally:
        for pid in _alive(mark):
            os.kill(pid, signal.SIGKILL)
    assert left == []
    assert study.returncode == status
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
