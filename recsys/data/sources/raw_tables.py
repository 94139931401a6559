"""Raw tables as lazy frames of strings, with the line of each row in its file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.sources.raw import RawFile
from recsys.schema import DataError

UNREADABLE = (pl.exceptions.ComputeError, pl.exceptions.SchemaError, pl.exceptions.NoDataError)
ROW = "row in the file"
_NO_ROWS: NDArray[np.int64] = np.zeros(0, np.int64)


class RawTable(ABC):
    """A raw table; its rows are numbered from 0.

    Attributes:
        label: The file's name in messages.
        frame: Its columns as strings, or as lists of strings if the format has lists.
        n_rows: The number of rows, if they were counted without polars.
        blank: (B,) numbers of the rows that are blank lines.
        ragged: (R,) numbers of the rows with too many or too few fields.
        first_row_is_data: Whether the assumed header looks like data.
        times: The columns that the file stores as dates or times; they are read as seconds since 1970.
    """

    n_rows: int | None = None
    blank: NDArray[np.int64] = _NO_ROWS
    ragged: NDArray[np.int64] = _NO_ROWS
    first_row_is_data: bool = False
    times: frozenset[str] = frozenset()

    def __init__(self, file: RawFile, frame: pl.LazyFrame) -> None:
        self.file = file
        self.label = file.label
        self.frame = frame

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        try:
            return self.frame.collect_schema().names()
        except UNREADABLE as error:
            raise self._diagnose(error) from error

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The result of a query over `frame`.

        Raises:
            DataError: If the file is malformed; the message names the line.
        """
        try:
            return frame.collect(engine="streaming")
        except UNREADABLE as error:
            raise self._diagnose(error) from error

    def place(self, row: int) -> str:
        """`file:line` of a row."""
        return self.places([row])[0]

    @abstractmethod
    def places(self, rows: Sequence[int]) -> list[str]:
        """`file:line` of rows in ascending order."""

    def ragged_fault(self, row: int) -> str:
        """The message about the number of fields of a row of `ragged`."""
        raise NotImplementedError

    def ragged_rows(self, is_long: bool) -> NDArray[np.int64]:
        """The rows of `ragged` with too many fields, or those with too few."""
        return self.ragged

    def containers(self, column: str, texts: pl.Series) -> NDArray[np.int64]:
        """The rows whose value in a column is a list or an object, though it was read as the string in `texts`."""
        return _NO_ROWS

    def with_lists(self, frame: pl.DataFrame, lists: Sequence[str] = ()) -> pl.DataFrame:
        """Rows of the table with lists that were read as strings as lists of strings; see `JsonLinesTable`."""
        return frame

    def _diagnose(self, error: Exception) -> DataError:
        return DataError(f"{self.label}: cannot be read: {str(error).splitlines()[0]}.")


class ParquetTable(RawTable):
    """A parquet file; dates and times become seconds since 1970, with decimals if they have fractions of a second.

    Columns of types without a text form, such as bytes, durations and objects, are ignored.

    Attributes:
        left_out: The types of the ignored columns.

    Raises:
        DataError: If the file is not parquet.
    """

    def __init__(self, file: RawFile) -> None:
        frame = pl.scan_parquet(file.path, glob=False)
        try:
            types = frame.collect_schema()
        except (*UNREADABLE, OSError) as error:
            raise DataError(f"{file.label}: not a parquet file ({str(error).splitlines()[0]}).") from error
        self.left_out = {name: dtype for name, dtype in types.items() if not _has_text(dtype)}
        kept = {name: dtype for name, dtype in types.items() if name not in self.left_out}
        super().__init__(file, frame.select(_as_strings(name, dtype) for name, dtype in kept.items()))
        self.times = frozenset(name for name, dtype in kept.items() if isinstance(dtype, pl.Date | pl.Datetime))

    def places(self, rows: Sequence[int]) -> list[str]:
        """`file, row n` (parquet has no lines), counted from 1."""
        return [f"{self.label}, row {row + 1}" for row in rows]


def _has_text(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _has_text(dtype.inner) and not isinstance(dtype.inner, pl.List | pl.Array)  # type: ignore[arg-type]
    return not (dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Duration | pl.Object | pl.Unknown))


def _as_strings(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(dtype, pl.List | pl.Array):
        return column.list.eval(_as_text(pl.element(), dtype.inner))  # type: ignore[arg-type]
    return _as_text(column, dtype)


def _as_text(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _decimal_seconds(values.dt.epoch("us"))
    return values.cast(pl.String)


def _decimal_seconds(time: pl.Expr) -> pl.Expr:
    """Microseconds since 1970 as seconds: "1600000000" or "1600000000.250000"."""
    seconds = (time // schema.MICROSECONDS).cast(pl.String)
    rest = time % schema.MICROSECONDS
    digits = rest.cast(pl.String).str.zfill(6)
    return pl.when(rest == 0).then(seconds).otherwise(pl.concat_str([seconds, digits], separator="."))
