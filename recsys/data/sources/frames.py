"""Tables in memory as files: each is written once, named by a hash of its content, and read by `data=table`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from recsys.data.sources.raw import RawFile, existing
from recsys.data.sources.raw_tables import ParquetTable
from recsys.schema import DataError
from recsys.support.disk import temporary_folder
from recsys.support.whole_files import CACHE, writing

log = logging.getLogger(__name__)

SUFFIX = ".frame"  # of a parquet file that was a table in memory
FOLDER = "frames"  # in the cache
_SCALARS = (str, int, float)
_MISFITS = (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError)  # pyarrow's errors are among them


class FrameTable(ParquetTable):
    """A table that was in memory; messages name it by its role, and count its rows from 1."""

    def __init__(self, file: RawFile) -> None:
        super().__init__(file)
        self.label = file.path.stem


def as_frame(table: Any, role: str) -> pl.DataFrame:
    """A table of another library as a polars frame; a column of mixed values becomes strings, as in a file.

    Args:
        table: A frame of polars or pandas, a table of pyarrow, a dataset of Hugging Face, a dictionary of
            columns, or a list of dictionaries. A named index of pandas is a column.
        role: "interactions", "items" or "users", for messages.

    Raises:
        DataError: If it is of another type, its columns differ in length, or two columns have the same name.
    """
    library = type(table).__module__.partition(".")[0]
    if library == "datasets":
        table, library = _arrow_of_dataset(table, role), "pyarrow"
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if library == "pandas" and hasattr(table, "columns"):
        return _finished(_of_pandas(table, role))
    if isinstance(table, Mapping):
        return _finished(_of_columns({str(name): list(values) for name, values in table.items()}, role))
    if isinstance(table, list | tuple) and all(isinstance(row, Mapping) for row in table):
        names = dict.fromkeys(str(name) for row in table for name in row)
        return _finished(_of_columns({name: [row.get(name) for row in table] for name in names}, role))
    if not (isinstance(table, pl.DataFrame) or hasattr(table, "__arrow_c_stream__")):
        raise DataError(
            f"{role} is of type {type(table).__qualname__}; expected a polars or pandas frame, a pyarrow table, a "
            "dataset of Hugging Face, a dictionary of columns, or a list of dictionaries."
        )
    try:
        return _finished(pl.DataFrame(table))
    except _MISFITS as error:
        raise DataError(f"{role} cannot be read as a frame: {error}.") from error


def with_whole_ids(frame: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    """The frame with ids as integers if pandas stored them as floats because some are missing: 1.0 is the id "1"."""
    for name in columns:
        if name in frame.columns and frame.schema[name].is_float() and _is_whole(frame[name]):
            frame = frame.with_columns(pl.col(name).cast(pl.Int64))
    return frame


def keep_frames(frames: Mapping[str, pl.DataFrame], cache_dir: Path) -> Path:
    """Write frames, by role, into a folder of the cache that is named by their content; returns the folder.

    The same frames have the same folder, which appears only when all files are complete.

    Raises:
        StoreError: If the cache cannot be written.
    """
    root = cache_dir / FOLDER
    with writing(root, CACHE):
        root.mkdir(parents=True, exist_ok=True)
    with writing(root, CACHE), temporary_folder(root) as workshop:
        made, digest = workshop / "made", hashlib.sha256()
        made.mkdir()
        for role, frame in frames.items():
            path = made / f"{role}{SUFFIX}"
            frame.write_parquet(path)
            digest.update(role.encode() + path.read_bytes())
        folder = root / digest.hexdigest()[:16]
        if not folder.exists():
            made.rename(folder)
    return folder


def existing_frames(path: Path, key: str) -> Path:
    """The folder of a table's files, which for frames may have been deleted from the cache.

    Raises:
        DataError: If it does not exist.
    """
    if path.parent.name == FOLDER and not path.exists():
        raise DataError(
            f"{key}: the data frames of {path} are no longer in the cache; give them to recsys.dataset again, which "
            "writes them to the same place."
        )
    return existing(path, key)


def _arrow_of_dataset(table: Any, role: str) -> Any:
    """The rows of a dataset of Hugging Face as a table of pyarrow, in the order that it has now."""
    if isinstance(table, Mapping):
        raise DataError(f"{role} has the splits {', '.join(map(str, table))}; choose one, as in dataset['train'].")
    if not hasattr(table, "__len__"):
        raise DataError(f"{role} is a dataset that is streamed; load it without streaming=True.")
    return table.with_format("arrow")[:]


def _of_pandas(table: Any, role: str) -> pl.DataFrame:
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    _check_names([str(name) for name in table.columns], role)
    columns: list[pl.Series] = []
    for name in table.columns:
        values = table[name]
        try:
            made: Any = pl.from_pandas(values.rename(str(name)))
            columns.append(made)
        except _MISFITS:
            columns.extend(_texts(str(name), values.tolist(), role))
    return pl.DataFrame(columns)


def _of_columns(columns: Mapping[str, list[Any]], role: str) -> pl.DataFrame:
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise DataError(f"{role} has columns of different lengths: {', '.join(map(str, sorted(lengths)))}.")
    made = []
    for name, values in columns.items():
        try:
            made.append(pl.Series(name, values))
        except _MISFITS:
            made.extend(_texts(name, values, role))
    return pl.DataFrame(made)


def _texts(name: str, values: Sequence[Any], role: str) -> list[pl.Series]:
    """A column of mixed values as strings; no column if some values are neither strings nor numbers."""
    texts = [None if value is None or value != value else value for value in values]
    kinds = {type(value).__qualname__ for value in texts if not isinstance(value, (*_SCALARS, type(None)))}
    if kinds:
        log.warning("%s: the column '%s' is ignored, since it has values of type %s.", role, name, min(kinds))
        return []
    return [pl.Series(name, [None if text is None else _written(text) for text in texts], dtype=pl.String)]


def _written(value: Any) -> str:
    """A value as text; 5.0 is "5", since ids beside it may be whole numbers that pandas did not turn into floats."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if is_whole else str(value)


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without columns that parquet cannot store, and with null instead of NaN, as in a file."""
    kept = frame.select(name for name, dtype in frame.schema.items() if dtype not in (pl.Object, pl.Unknown))
    return kept.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))


def _check_names(names: Sequence[str], role: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{role}: several columns are called '{twice}'; expected one.")


def _is_whole(values: pl.Series) -> bool:
    known = values.drop_nulls()
    return bool((known.is_finite() & (known == known.floor()) & (known.abs() < 2**53)).all())
