"""Cached files and folders that are whole or absent, and that one process makes while others wait for it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from recsys.support.whole_files import CACHE, writing

_NEW = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW  # follows no link that somebody else has made


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Lock `path` against other processes: one of them makes the file that the others find.

    Raises:
        StoreError: If the folder of `path` cannot be written.
    """
    with writing(path.parent, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(os.open(path.with_name(f".{path.name}.lock"), _NEW, 0o666), "w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sha256(path: Path) -> str:
    """The SHA-256 of a file, read again only where the file has changed."""
    status = path.stat()
    return _sha256_of(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@lru_cache
def _sha256_of(path: Path, *state: int) -> str:  # noqa: ARG001 (a file that has changed is read again)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
