"""The command lines as a user types them, each in a process of its own.

The processes are forked from a server that has already imported the libraries, since importing them takes longer than
most commands. What a command imports by itself is tested by `test_cli.py` in new interpreters.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import resource
import runpy
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "scripts"
LIBRARIES = ["torch", "pytorch_lightning", "torchmetrics", "transformers", "sklearn.feature_extraction.text"]
LIBRARIES += ["polars", "scipy.stats", "optuna", "altair", "recsys.experiment.run", "recsys.experiment.build"]


def preload_libraries() -> None:
    """Have the server, which all forked processes of these tests share, import the libraries before it forks."""
    multiprocessing.set_forkserver_preload(LIBRARIES)


@dataclass
class Finished:
    returncode: int
    stdout: str
    stderr: str


class Command:
    """A command that was started.

    Args:
        script: Its name in the folder `scripts`, or the path of a Python file.
        cwd: Where it runs.
        environment: Beside that of the tests.
        largest_file: Bytes: a write beyond it fails, as on a full disk.
    """

    def __init__(
        self,
        script: str | Path,
        *arguments: str,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        largest_file: int | None = None,
    ) -> None:
        path = script if isinstance(script, Path) else SCRIPTS / f"{script}.py"
        self._said = Path(tempfile.mkdtemp(prefix="command"))
        whole = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1", **(environment or {})}
        preload_libraries()
        self._process = multiprocessing.get_context("forkserver").Process(
            target=_run, args=(path, arguments, cwd, whole, largest_file, self._said)
        )
        self._process.start()

    def is_running(self) -> bool:
        return self._process.is_alive()

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.join()

    def finish(self, timeout: float = 300) -> Finished:
        """Wait for its end.

        Raises:
            TimeoutError: If it takes longer than `timeout` seconds; it is killed then.
        """
        self._process.join(timeout)
        out, error = (
            (self._said / name).read_text() if (self._said / name).exists() else "" for name in ("out", "err")
        )
        if self._process.exitcode is None:
            self.kill()
            raise TimeoutError(f"not done after {timeout} s: {out}{error}")
        return Finished(self._process.exitcode, out, error)


def run(script: str | Path, *arguments: str, cwd: Path, cache: Path) -> Finished:
    """What a command said, after its end."""
    return Command(script, *arguments, cwd=cwd, environment={"RECSYS_CACHE": str(cache)}).finish()


def _run(path, arguments, cwd, environment, largest_file, said) -> None:
    """In the new process: what a shell and the interpreter do before a script has its turn, and after it."""
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", buffering=1) for number in (1, 2))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.parent))
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        atexit._run_exitfuncs()
