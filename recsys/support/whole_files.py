"""Files and folders that are either complete or absent, even if the writing process is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.schema import StoreError
from recsys.support.disk import temporary_file, temporary_folder

# Keys that set the place of a file.
RUNS, CACHE, OUTPUT = "paths.runs_dir", "paths.cache_dir", "output"


def write_atomically(path: Path, content: bytes | memoryview, key: str) -> None:
    """Write a file by way of a temporary one in the same folder, which is flushed to the disk before it is renamed.

    Args:
        path: The file's path.
        content: The file's content.
        key: The configuration key that sets the place, for the message.

    Raises:
        StoreError: If the folder cannot be written; an existing file at `path` does not change.
    """
    with writing(path, key):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)


@contextmanager
def replacing(path: Path, key: str = CACHE) -> Iterator[Path]:
    """A path to write a file or a folder to, which takes the place of `path` if the block ends without an error.

    Unlike `write_atomically` it does not wait for the disk: the reader of a cache checks its content.

    Args:
        path: The file or folder.
        key: The configuration key that sets the place, for the message.

    Raises:
        StoreError: If it cannot be written.
    """
    with writing(path, key), temporary_folder(path.parent) as folder:
        unfinished = folder / path.name
        yield unfinished
        if path.is_dir():  # a folder cannot be replaced in one step; its reader holds the lock of `making`
            shutil.rmtree(path)
        unfinished.replace(path)


@contextmanager
def writing(path: Path, key: str) -> Iterator[None]:
    """Turn the system's write error into one that names the path and the key that sets the place.

    Raises:
        StoreError: Instead of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. Choose a place that is writable and has space, "
            f"by the key {key}."
        ) from error
