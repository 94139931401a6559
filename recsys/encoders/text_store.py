"""Vectors on disk by text, written answer by answer, so that a run that is killed pays for no answered text twice."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.schema import StoreError

log = logging.getLogger(__name__)

_AT_ONCE = 500  # keys of one query
_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, tokens REAL)"


class TextStore:
    """Vectors of one model by the content of texts; several processes may share the file, and threads the store.

    A damaged file is renamed, with a warning, and a new one begun.

    Args:
        path: Of the file; None keeps vectors in memory.

    Raises:
        StoreError: If the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self._lock = path, threading.Lock()
        with self._naming():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = self._open()
            except sqlite3.DatabaseError as error:
                if path is None or isinstance(error, sqlite3.OperationalError):
                    raise
                log.warning("%s is damaged (%s): it is renamed, and its texts are encoded again.", path, error)
                path.replace(path.with_suffix(".damaged"))
                self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:" if self.path is None else self.path, timeout=60, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            with database:
                database.execute(_SCHEMA)
        except BaseException:
            database.close()
            raise
        return database

    def add(self, texts: Sequence[str], vectors: NDArray[np.float32], tokens: int | None) -> None:
        """Keep the vectors (n, dim) of texts, and their equal shares of the tokens that the server counted."""
        share = None if tokens is None else tokens / len(texts)
        rows = [
            (_key(text), vector.astype("<f4").tobytes(), share) for text, vector in zip(texts, vectors, strict=True)
        ]
        with self._lock, self._naming(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def find(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors of those texts that are there."""
        by_key = {_key(text): text for text in texts}
        return {by_key[key]: np.frombuffer(vector, "<f4") for key, vector, _ in self._rows(list(by_key))}

    def tokens(self, texts: Sequence[str]) -> int | None:
        """Tokens of all of the texts that are there; None where the server did not tell."""
        found = [tokens for _, _, tokens in self._rows(list({_key(text) for text in texts}))]
        known = [count for count in found if count is not None]
        return round(sum(known)) if len(known) == len(found) else None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _rows(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes, float | None]]:
        for start in range(0, len(keys), _AT_ONCE):
            own = keys[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(own))
            with self._lock, self._naming():
                found = self._database.execute(f"SELECT * FROM vectors WHERE key IN ({marks})", own).fetchall()
            yield from found

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the cache {self.path} cannot be read or written ({error}).") from error


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
