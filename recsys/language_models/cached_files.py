"""Cached files and folders that are whole or absent, and that one process makes while others wait for it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from recsys.support.disk import temporary_folder, writing_cache

_NEW = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW  # follows no link that somebody else has made


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Lock `path` against other processes: one of them makes the file that the others find.

    Raises:
        StoreError: If the folder of `path` cannot be written.
    """
    with writing_cache(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(os.open(path.with_name(f".{path.name}.lock"), _NEW, 0o666), "w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file or a folder to, which takes the place of `path` if the block ends without an error.

    Raises:
        StoreError: If it cannot be written.
    """
    with writing_cache(path), temporary_folder(path.parent) as folder:
        unfinished = folder / path.name
        yield unfinished
        if path.is_dir():  # a folder cannot be replaced in one step; its reader is held off by `making`
            shutil.rmtree(path)
        unfinished.replace(path)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, read again only where the file has changed."""
    status = path.stat()
    return _sha256_of(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@lru_cache
def _sha256_of(path: Path, *state: int) -> str:  # noqa: ARG001 (a file that has changed is read again)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
