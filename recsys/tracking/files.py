"""Files that are either whole or absent, whatever kills the process that writes them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.schema import RecsysError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one in the same folder, flushed to the disk before it takes the name.

    Raises:
        RecsysError: If the folder cannot be written; what stood at `path` is untouched.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _share(Path(temporary))
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into an error that names the path and says what to do."""
    try:
        yield
    except OSError as error:
        raise RecsysError(
            f"cannot write {path}: {error.strerror or error}. Give a folder that is writable and has space, "
            "as in paths.runs_dir=/some/folder."
        ) from error


def _share(path: Path) -> None:
    """The mode that the user's umask gives new files; mkstemp's own is for the owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)
