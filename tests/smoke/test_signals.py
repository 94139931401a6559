"""SIGINT and SIGTERM end a command with a sentence and a status, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import Command
from full import only_full

LONG = ["encoder=none", "ranker=cf", "trainer.max_epochs=100000", "callbacks.early_stopping.patience=100000"]
BUSY = """
import time
from recsys.support import interruption
interruption.GRACE = 0.2
with interruption.stoppable():
    print("ready", flush=True)
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=only_full)]
)
def test_a_signal_in_a_fit_ends_the_run(small_data, tmp_path, cache_dir, number, status):
    command = Command("train", *small_data, *LONG, cwd=tmp_path, environment={"RECSYS_CACHE": str(cache_dir)})
    while command.is_running() and not list(tmp_path.glob("runs/*/checkpoints/last.ckpt")):
        time.sleep(0.02)
    start = time.monotonic()
    command.send(number)
    done = command.finish()
    assert done.returncode == status
    assert time.monotonic() - start < 5
    assert done.stderr.count("stopped by") == 1
    assert "the same command continues from there" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.glob("runs/*/record.json"))
    assert list(tmp_path.glob("runs/*/checkpoints/last.ckpt"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_swallows_the_exception_ends_all_the_same(number):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert said.count("stopped by") == 1


def test_workers_end_with_the_process_that_started_them(tmp_path):
    code = f"""
import os, subprocess, sys, time
worker = "import sys, time; from recsys.support import interruption; interruption.POLL = 0.05; "
worker += "interruption.end_with_parent(int(sys.argv[1])); "
worker += "open({str(tmp_path / "ready")!r}, 'w'); time.sleep(60)"
print(subprocess.Popen([sys.executable, "-c", worker, str(os.getpid())]).pid, flush=True)
while not os.path.exists({str(tmp_path / "ready")!r}):
    time.sleep(0.01)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert _ends(int(done.stdout))


def _ends(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_interrupts_of_a_notebook_are_passed_on(tmp_path):
    code = """
import signal, sys
from pytorch_lightning.utilities.exceptions import SIGTERMException
from recsys.training.interrupts import signals_passed_on
def as_lightning_does():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.exit(1)
before = signal.getsignal(signal.SIGINT)
try:
    with signals_passed_on():
        as_lightning_does()
except KeyboardInterrupt:
    assert signal.getsignal(signal.SIGINT) is before
    with signals_passed_on():
        raise SIGTERMException
"""
    script = tmp_path / "notebook.py"
    script.write_text(code)
    assert Command(script, cwd=tmp_path).finish(60).returncode == 143
