"""File locks, which the operating system releases when their process ends."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.schema import StoreError
from recsys.support.whole_files import RUNS, writing


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold a file's lock, which the operating system releases when the process ends.

    Yields:
        True; False if another process holds the lock and `wait` is False.

    Raises:
        StoreError: If the file cannot be made, or is a link.
    """
    descriptor, is_mine = _opened(path), False
    try:
        is_mine = _lock(descriptor, wait)
        while is_mine and not _is_in_place(descriptor, path):  # its former holder deleted the file
            os.close(descriptor)
            descriptor = _opened(path)
            is_mine = _lock(descriptor, wait)
        yield is_mine
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process holds a file's lock; the file need not exist, and need not be writable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return not _lock(descriptor, wait=False)
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    with writing(path, RUNS):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:  # another process has just removed the folder of an unfinished run
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)


def _lock(descriptor: int, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _is_in_place(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def is_disk_error(error: BaseException) -> bool:
    """Whether an error shows that the disk is full or cannot be written."""
    codes = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, StoreError) or (isinstance(error, OSError) and error.errno in codes)
