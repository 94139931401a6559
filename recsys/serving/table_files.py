"""Tables that a user gives to be recommended from: csv, tsv, jsonl, parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from recsys.data.sources.csv_table import CsvTable
from recsys.data.sources.json_lines import literal
from recsys.data.sources.raw import RawFile, plain_text, wrong_byte
from recsys.schema import DataError

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
LISTS = (".txt", "")


def read_ids(path: Path) -> pl.Series | None:
    """The ids of a file that has one on each line (.txt); None for a file of another format.

    Raises:
        DataError: If it is not UTF-8.
    """
    if path.suffix not in LISTS or not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise wrong_byte(RawFile(path), "utf-8") or error from None
    return pl.Series([line.strip() for line in lines if line.strip()], dtype=pl.String)


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
    if path.suffix not in FORMATS:
        raise DataError(f"{key}: {path} is of an unknown format; expected a file that ends in {', '.join(FORMATS)}.")
    try:
        with TemporaryDirectory(prefix="recsys-") as folder:
            frame = _read(path, Path(folder), ids)
    except DataError as error:
        raise DataError(f"{key}: {error}") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{key}: {path} cannot be read ({error}).") from error
    for column in ids:
        if column not in frame.columns:
            raise DataError(f"{key}: {path} has no column {column!r}; it has {', '.join(frame.columns)}.")
        values = frame[column]
        if values.dtype.is_nested():
            raise DataError(f"{key}: {path}: column {column!r} is {values.dtype}; expected one id in each row.")
        empty = values.is_null() | (values.cast(pl.String) == "").fill_null(True)
        if empty.any():
            row = empty.arg_true()[0] + 1
            raise DataError(f"{key}: {path}: row {row} has no {column}; expected an id in each row.")
    return frame.with_columns(pl.col(column).cast(pl.String) for column in ids)


def _read(path: Path, scratch: Path, ids: Sequence[str]) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path, glob=False)
    if path.suffix == ".jsonl":
        return _read_json_lines(plain_text(RawFile(path), scratch), ids)
    table = CsvTable(RawFile(path), scratch, "\t" if path.suffix == ".tsv" else ",")
    if len(table.ragged):
        row = int(table.ragged[0])
        raise DataError(f"{table.place(row)}: {table.ragged_fault(row)}.")
    frame = table.collect(table.frame)
    if frame.height != table.n_rows:
        raise DataError(f"{table.label}: {frame.height} rows were read of {table.n_rows} in the file.")
    is_blank = pl.arange(frame.height, eager=True).is_in(table.blank.tolist())
    return frame.filter(~is_blank)


def _read_json_lines(path: Path, ids: Sequence[str]) -> pl.DataFrame:
    types = pl.read_ndjson(literal(path), infer_schema_length=None).schema
    texts = {name: pl.String for name in ids if name in types and not types[name].is_nested()}
    return pl.read_ndjson(literal(path), schema_overrides=texts, infer_schema_length=None)
