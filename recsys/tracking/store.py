"""The store, the folder of all runs: finds, saves, locks and deletes them."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from recsys.schema import BusyError, RecordError, RecsysError, StoreError
from recsys.support.whole_files import RUNS, write_atomically, writing
from recsys.tracking.checksums import check_intact, checksum, is_intact
from recsys.tracking.files import is_locked, locked
from recsys.tracking.names import check_name, is_name
from recsys.tracking.record import Record, load_json

log = logging.getLogger(__name__)

RECORD = "record.json"
PER_USER = "per_user.parquet"
WEIGHTS = "model.safetensors"
LOCK = ".lock"
SHORTEST = 4  # least number of characters that abbreviate a run's id

# Columns of per_user.parquet; each further one is a metric of the test, one value for each query.
QUERY = "query"
USER_COLUMN = "user"  # the raw id, a string
N_HISTORY = "n_history"
N_POSITIVES = "n_positives"
KEYS = (QUERY, USER_COLUMN, N_HISTORY, N_POSITIVES)


def segment_column(segment: str, metric: str) -> str:
    """The column of a metric for which only a segment's items are relevant; NaN for queries without such items.

    Example:
        >>> segment_column("items=cold", "ndcg@10")
        'items=cold/ndcg@10'
    """
    return f"{segment}/{metric}"


@dataclass(frozen=True)
class Store:
    """Runs by their ids, each in the folder `root/<run id>`.

    A run's record is written last, so a run without a record is not finished.
    """

    root: Path

    def folder(self, run_id: str) -> Path:
        """The folder of a run's files; it need not exist.

        Raises:
            ConfigError: If the id is no valid name of a folder.
        """
        return self.root / check_name("a run's id", run_id)

    def find(self, run_id: str) -> Record | None:
        """The record of a run, finished or failed; None if there is none.

        Raises:
            RecordError: If it is damaged, or the record of another run; the message names the file.
        """
        path = self.folder(run_id) / RECORD
        record = Record.read(path) if path.is_file() else None
        if record is not None and record.run_id != run_id:
            raise RecordError(_foreign(path, record))
        return record

    def is_whole(self, record: Record) -> bool:
        """Whether a run's files have the recorded checksums; a warning names a file that has not.

        Weights may be missing, since only serving needs them.
        """
        folder = self.folder(record.run_id)
        for name in (PER_USER, WEIGHTS):
            expected = record.checksums.get(name)
            is_needed = name == PER_USER or (folder / name).exists()
            if expected is not None and is_needed and not is_intact(folder / name, expected):
                _warn_of_damage(folder / name)
                return False
        return True

    def ids(self) -> list[str]:
        """Ids of all runs that have a record, in alphabetical order."""
        return self._folders_with(RECORD)

    def abbreviated(self, beginning: str) -> list[str]:
        """The ids that begin so, if it has at least four characters."""
        return [run_id for run_id in self.ids() if len(beginning) >= SHORTEST and run_id.startswith(beginning)]

    def unrecorded(self) -> list[str]:
        """Ids of runs that are being made, or were interrupted before their record was written."""
        return sorted(set(self._folders_with(LOCK)) - set(self.ids()))

    def records(self) -> list[Record]:
        """All readable records, in the order of their ids; a warning names each damaged one.

        A run whose id is not its folder's name is omitted with a warning too.
        """
        found = (_readable(self.folder(run_id) / RECORD) for run_id in self.ids())
        return [record for record in found if record is not None]

    def _folders_with(self, file: str) -> list[str]:
        folders = self.root.iterdir() if self.root.is_dir() else ()
        return sorted(folder.name for folder in folders if is_name(folder.name) and _is_file(folder / file))

    def per_user(self, run_id: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The metrics of each query of a finished run, ordered by query.

        Args:
            run_id: The run's id.
            columns: The columns to return, of which missing ones are ignored; None for all.

        Raises:
            RecsysError: If the file is missing or damaged.
        """
        path = self.folder(run_id) / PER_USER
        check_intact(path, self._checksum(run_id, PER_USER))
        try:
            frame = pl.read_parquet(path, glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise RecsysError(f"cannot read {path} ({error}). Make the run again with rerun=true.") from error
        missing = [name for name in KEYS if name not in frame.columns]
        if missing:
            raise RecsysError(f"{path} lacks the columns {', '.join(missing)}. Make the run again with rerun=true.")
        kept = frame.columns if columns is None else [name for name in columns if name in frame.columns]
        return frame.sort(QUERY).select(kept)

    def _checksum(self, run_id: str, file: str) -> str | None:
        path = self.folder(run_id) / RECORD
        recorded = load_json(path).get("checksums") if path.is_file() else None
        return recorded.get(file) if isinstance(recorded, dict) else None

    def save(self, record: Record, per_user: pl.DataFrame | None = None) -> Record:
        """Write a run's metrics per query, then its record; a failed run has no metrics.

        Returns:
            The record with the checksum of the file of metrics per query.

        Raises:
            RecsysError: If the folder cannot be written; earlier files are unchanged.
            ValueError: If `per_user` lacks one of the columns KEYS.
        """
        folder = self.folder(record.run_id)
        if per_user is not None:
            missing = [name for name in KEYS if name not in per_user.columns]
            if missing:
                raise ValueError(f"per_user lacks the columns {', '.join(missing)}")
            content = io.BytesIO()
            per_user.write_parquet(content)
            write_atomically(folder / PER_USER, content.getbuffer(), RUNS)
            record = replace(record, checksums={**record.checksums, PER_USER: checksum(content.getbuffer())})
        record.write(folder / RECORD)
        return record

    def tag(self, record: Record, tags: Sequence[str], tuning: Mapping[str, Any] | None = None) -> Record:
        """Add a study's tags to the record of a run that it found, and write it if it changed.

        If several studies tuned the run's settings, the record keeps the largest of their budgets.
        """
        if _tagged(record, tags, tuning) == record:
            return record
        with self.lock(record.run_id):
            tagged = _tagged(self.find(record.run_id) or record, tags, tuning)
            self.save(tagged)
        return tagged

    def is_locked(self, run_id: str) -> bool:
        """Whether a process is making a run now."""
        return is_locked(self.folder(run_id) / LOCK)

    @contextmanager
    def lock(self, run_id: str, wait: bool = True) -> Iterator[None]:
        """Keep other processes from making the same run; waits for a process that has it, unless `wait` is False.

        The operating system releases the lock when its process ends, even if it is killed.

        Raises:
            BusyError: If another process has it, and `wait` is False.
            RecsysError: If the folder cannot be written.
        """
        path = self.folder(run_id) / LOCK
        if wait and is_locked(path):
            log.warning("run %s is being made by another process: waiting for it", run_id)
        with locked(path, wait) as is_mine:
            if not is_mine:
                raise BusyError(f"run {run_id} is being made by another process.")
            yield

    def delete(self, run_id: str) -> None:
        """Delete a run with all of its files, the record first, so that an interrupted deletion leaves no run.

        Raises:
            BusyError: If a process is making the run; nothing is deleted.
            RecsysError: If a file cannot be deleted, or the folder is a link, whose files are outside the store.
        """
        folder = self.folder(run_id)
        if folder.is_symlink():
            raise StoreError(f"{folder} is a link to {folder.resolve()}: delete the link and its files by hand.")
        with self.lock(run_id, wait=False), writing(folder, RUNS):
            (folder / RECORD).unlink(missing_ok=True)
            shutil.rmtree(folder)


@cache
def _warn_of_damage(path: Path) -> None:
    log.warning("%s is missing or damaged: the run is made again.", path)


def _readable(path: Path) -> Record | None:
    try:
        record = Record.read(path)
    except RecsysError as error:
        log.warning("%s It is omitted.", error)
        return None
    if record.run_id != path.parent.name:
        log.warning("%s The run is omitted.", _foreign(path, record))
        return None
    return record


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:  # another user's run
        return False


def _foreign(path: Path, record: Record) -> str:
    return (
        f"{path} is the record of run {record.run_id!r}, expected that of {path.parent.name!r}: give the folder the "
        "run's id as its name."
    )


def _tagged(record: Record, tags: Sequence[str], tuning: Mapping[str, Any] | None) -> Record:
    found = dict(tuning or {})
    found = found if found.get("trials", 0) > record.tuning.get("trials", 0) else record.tuning
    return replace(record, tags=list(dict.fromkeys([*record.tags, *tags])), tuning=found)
