"""The git checkout that recsys runs from, if it does."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def git(*arguments: str) -> str | None:
    """git's output in the package's folder, or None if it fails or is not installed."""
    command = ["git", "-C", str(PACKAGE), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


@cache
def is_checkout() -> bool:
    """Whether recsys runs from a checkout of itself, and is not installed, perhaps inside that of something else."""
    return git("ls-files", "--error-unmatch", str(Path(__file__).resolve())) is not None


@cache
def edited_files() -> frozenset[Path]:
    """The package's source files that are new or differ from the last commit; empty outside a checkout.

    Read once in a process, since a running process keeps the code that it started with.
    """
    if not is_checkout():
        return frozenset()
    listed = git("ls-files", "-z", "--modified", "--others", "--exclude-standard", "--", "*.py")
    staged = git("diff", "--cached", "--name-only", "-z", "--relative", "--", "*.py")
    names = f"{listed or ''}\0{staged or ''}".split("\0")
    return frozenset(path for name in names if name and (path := PACKAGE / name).is_file())
