"""Tables that a user gives to be recommended from: csv, jsonl, parquet."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from recsys.schema import DataError

READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema=False, glob=False),
    ".jsonl": lambda path: pl.read_ndjson(
        glob.escape(str(path)), infer_schema_length=None
    ),  # it has no switch for patterns
    ".parquet": lambda path: pl.read_parquet(path, glob=False),
}


LISTS = (".txt", "")


def read_ids(path: Path) -> pl.Series | None:
    """The ids of a file that has one on each line (.txt); None for a file of another format."""
    if path.suffix not in LISTS or not path.is_file():
        return None
    return pl.Series([line.strip() for line in path.read_text().splitlines() if line.strip()], dtype=pl.String)


def read_table(path: Path, key: str, ids: Sequence[str]) -> pl.DataFrame:
    """A table whose columns `ids` must be there, and are read as text.

    Args:
        path: Its file.
        key: The configuration's key that named it, for messages.
        ids: Columns of ids.

    Raises:
        DataError: If the file is missing, malformed, of an unknown format or without one of these columns, or an id is
            missing.
    """
    if not path.is_file():
        raise DataError(f"{key}: there is no file {path.absolute()}.")
    if path.suffix not in READERS:
        raise DataError(f"{key}: {path} is of an unknown format; expected a file that ends in {', '.join(READERS)}.")
    try:
        frame = READERS[path.suffix](path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{key}: {path} cannot be read ({error}).") from error
    for column in ids:
        if column not in frame.columns:
            raise DataError(f"{key}: {path} has no column {column!r}; it has {', '.join(frame.columns)}.")
        if frame[column].null_count():
            line = frame[column].is_null().arg_true()[0] + 1
            raise DataError(f"{key}: {path}: row {line} has no {column}; expected an id in each row.")
    return frame.with_columns(pl.col(column).cast(pl.String) for column in ids)
