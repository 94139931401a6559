"""Checksums of a run's files, stored in its record."""

from __future__ import annotations

import hashlib
from pathlib import Path

from recsys.schema import RecsysError


def checksum(content: bytes | memoryview) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits.

    Example:
        >>> checksum(b"")[:8]
        'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def is_intact(path: Path, expected: str) -> bool:
    """Whether a file has this checksum; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == expected
    except OSError:
        return False


def check_intact(path: Path, expected: str | None) -> None:
    """Raise an error for a file that has changed since its run was recorded.

    Args:
        path: Its path; a missing file raises no error here, but when it is read.
        expected: Its SHA-256; None in records of earlier versions, for which nothing is checked.

    Raises:
        RecsysError: If it has changed.
    """
    if expected is not None and path.is_file() and not is_intact(path, expected):
        raise RecsysError(
            f"{path} is damaged: its checksum is not the one in the run's record. Make the run again with rerun=true."
        )
