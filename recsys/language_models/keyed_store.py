"""Values on disk by the hash of their source; several processes may share a file, and threads a store."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.schema import StoreError

log = logging.getLogger(__name__)

_AT_ONCE = 500  # keys of one query


class KeyedStore:
    """One table of sqlite, written answer by answer, so that a killed command repeats no call.

    A damaged file is renamed, with a warning, and a new one begun.

    Args:
        path: Path of the file; None keeps the table in memory.

    Attributes:
        table: Its name.
        columns: Its columns after `key`, as SQL declares them.

    Raises:
        StoreError: If the file cannot be written.
    """

    table = "answers"
    columns: tuple[str, ...] = ()

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
                log.warning("%s is damaged (%s): it is renamed, and its content is computed again.", path, error)
                path.replace(path.with_suffix(".damaged"))
                self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(":memory:" if self.path is None else self.path, timeout=60, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            with database:
                columns = ", ".join(self.columns)
                database.execute(f"CREATE TABLE IF NOT EXISTS {self.table} (key BLOB PRIMARY KEY, {columns})")
        except BaseException:
            database.close()
            raise
        return database

    def put(self, rows: Iterable[Sequence[Any]]) -> None:
        """Store rows, each a key and the values of `columns`; a row of the same key is replaced."""
        marks = ", ".join("?" * (1 + len(self.columns)))
        with self._lock, self._naming(), self._database:
            self._database.executemany(f"INSERT OR REPLACE INTO {self.table} VALUES ({marks})", rows)

    def rows(self, keys: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        """The stored rows of these keys."""
        for start in range(0, len(keys), _AT_ONCE):
            own = keys[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(own))
            with self._lock, self._naming():
                query = f"SELECT * FROM {self.table} WHERE key IN ({marks})"
                found = self._database.execute(query, own).fetchall()
            yield from found

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the cache {self.path} cannot be read or written ({error}).") from error


def key_of(text: str) -> bytes:
    """The key of a text: its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
