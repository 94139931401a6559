"""Temporary files and folders that their writer locks, so that leftovers of ended processes can be removed."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".tmp"  # of temporary files and folders, whose names begin with a dot


@contextmanager
def temporary_file(path: Path) -> Iterator[tuple[int, Path]]:
    """An open file beside `path`, as its descriptor and its own path; it is locked while the block runs.

    It is deleted at the end, unless the block has renamed it.
    """
    descriptor, own = _made(lambda: _new_file(path))
    try:
        yield descriptor, own
    finally:
        own.unlink(missing_ok=True)
        os.close(descriptor)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder in `parent`, which is deleted at the end; leftovers of ended processes are deleted first."""
    remove_abandoned(parent)
    descriptor, own = _made(lambda: _opened(tempfile.mkdtemp(SUFFIX, ".", parent)))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        os.close(descriptor)


def _new_file(path: Path) -> tuple[int, str]:
    """Create a file, never following an existing link; the system applies the user's umask to its mode."""
    own = path.with_name(f".{path.name}.{secrets.token_hex(8)}{SUFFIX}")
    return os.open(own, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666), str(own)


def remove_abandoned(folder: Path) -> None:
    """Delete the temporary files and folders of processes that have ended; what cannot be deleted stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(".") and entry.name.endswith(SUFFIX)]
        for name in names:
            with suppress(OSError):
                _remove_if_abandoned(folder / name)


def _remove_if_abandoned(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer is running
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        os.close(descriptor)


def _opened(folder: str) -> tuple[int, str]:
    return os.open(folder, os.O_RDONLY), folder


def _made(make: Callable[[], tuple[int, str]]) -> tuple[int, Path]:
    """A new temporary file or folder with its lock; another process may delete it before it is locked."""
    while True:
        descriptor, name = make()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        path = Path(name)
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor, path
        os.close(descriptor)
