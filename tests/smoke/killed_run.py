"""A run in a process of its own, killed as soon as it has written a file."""

from __future__ import annotations

from pathlib import Path

from commands import Command

SCRIPT = """
import os, sys
from pathlib import Path
store, wanted = sys.argv[1], Path(sys.argv[2])
events = ("os.rename", "os.remove", "os.mkdir", "open")

def audit(event, arguments):
    if event in events and any(store in str(argument) for argument in arguments) and wanted.exists():
        os.kill(os.getpid(), 9)

sys.addaudithook(audit)
import recsys
recsys.run(sys.argv[3:])
"""


def kill_after(file: Path, store: Path, *overrides: str) -> None:
    """Make a run that kills itself at its first file event in the store after `file` was written."""
    script = store.parent / "killed.py"
    script.write_text(SCRIPT)
    done = Command(script, str(store), str(file), *overrides, cwd=store.parent).finish()
    assert done.returncode == -9, f"the run ended before it could be killed: {done.stdout}{done.stderr}"
    assert file.exists()
