"""Raw tables as lazy frames of strings that know on which line of their file a row stands."""

from __future__ import annotations

import csv
import glob
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from recsys import schema
from recsys.data.sources.raw import UNIT_SEPARATOR, RawFile, plain_text, wrong_byte
from recsys.schema import DataError

_UNREADABLE = (pl.exceptions.ComputeError, pl.exceptions.SchemaError, pl.exceptions.NoDataError)
_INFERRED_ROWS = 10_000
ROW = "row in the file"


class RawTable(ABC):
    """A raw table.

    Attributes:
        label: How messages name the file.
        frame: Its columns as strings; lists of strings where the format has lists.
    """

    def __init__(self, file: RawFile, frame: pl.LazyFrame) -> None:
        self.file = file
        self.label = file.label
        self.frame = frame

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        try:
            return self.frame.collect_schema().names()
        except _UNREADABLE as error:
            raise self._diagnose(error) from error

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """What a query over `frame` gives.

        Raises:
            DataError: If the file is malformed; the message names the line.
        """
        try:
            return frame.collect(engine="streaming")
        except _UNREADABLE as error:
            raise self._diagnose(error) from error

    def first_row(self, condition: pl.Expr) -> int:
        """The number of the first row of which a condition on the raw columns holds."""
        rows = self.frame.with_row_index(ROW).filter(condition).select(ROW)
        return self.collect(rows.head(1)).item()

    @abstractmethod
    def place(self, row: int) -> str:
        """`file:line` of a row."""

    def _diagnose(self, error: Exception) -> DataError:
        return DataError(f"{self.label}: cannot be read: {str(error).splitlines()[0]}.")


class CsvTable(RawTable):
    """Text with separators; `names` are the columns of a file without a header, `quote` is null where quotes mean
    nothing."""

    def __init__(
        self,
        file: RawFile,
        scratch: Path,
        separator: str = ",",
        encoding: str = "utf-8",
        quote: str | None = '"',
        names: Sequence[str] | None = None,
    ) -> None:
        self.path = plain_text(file, scratch, encoding, separator)
        self.separator = separator if len(separator) == 1 else UNIT_SEPARATOR
        self.encoding, self.quote, self.header = encoding, quote, names is None
        frame = pl.scan_csv(
            self.path,
            glob=False,
            separator=self.separator,
            quote_char=quote,
            has_header=self.header,
            infer_schema=False,
            schema=None if names is None else dict.fromkeys(names, pl.String),
        )
        super().__init__(file, frame)

    @property
    def columns(self) -> list[str]:
        """The names of its columns.

        Raises:
            DataError: If they are in another encoding.
        """
        names = super().columns
        is_garbled = any("\ufffd" in name for name in names)
        if is_garbled and (wrong := wrong_byte(self.file, self.encoding)):
            raise wrong
        return names

    def place(self, row: int) -> str:
        """`file:line` of a row; quoted fields may hold line breaks."""
        before = self.frame.head(row).select(cs.string().str.count_matches("\n", literal=True).sum())
        breaks = sum(self.collect(before).row(0)) if row else 0
        return f"{self.label}:{1 + self.header + row + breaks}"

    def _diagnose(self, error: Exception) -> DataError:
        wrong = wrong_byte(self.file, self.encoding) or self._wrong_record()
        return wrong or super()._diagnose(error)

    def _wrong_record(self) -> DataError | None:
        """What to say of the first record with too many fields, or of a quote that is never closed."""
        names, limit, start = None, csv.field_size_limit(2**31 - 1), 1
        try:
            with self.path.open(newline="", encoding="utf-8") as text:
                records = csv.reader(text, strict=True, delimiter=self.separator, **_quoting(self.quote))
                for record in records:
                    names = names or record
                    if len(record) > len(names):
                        return self._too_many(start, len(record), len(names))
                    start = records.line_num + 1
        except csv.Error as error:
            advice = "set data.quote=null if quotes mean nothing in this file"
            return DataError(f"{self.label}:{start}: a quoted field that is malformed ({error}); {advice}.")
        finally:
            csv.field_size_limit(limit)
        return None

    def _too_many(self, line: int, found: int, expected: int) -> DataError:
        advice = "check data.separator, and quote fields that hold it"
        return DataError(f"{self.label}:{line}: found {found} fields, expected {expected} as in line 1; {advice}.")


class JsonLinesTable(RawTable):
    """One JSON object a line."""

    def __init__(self, file: RawFile, scratch: Path) -> None:
        path = plain_text(file, scratch)
        self.file, self.label = file, file.label
        try:
            inferred = pl.scan_ndjson(literal(path), infer_schema_length=_INFERRED_ROWS).collect_schema()
        except _UNREADABLE as error:
            raise self._diagnose(error) from error
        self.schema = {name: _string_type(dtype) for name, dtype in inferred.items()}
        super().__init__(file, pl.scan_ndjson(literal(path), schema=self.schema))

    def place(self, row: int) -> str:
        """`file:line` of a row."""
        with self.file.open() as text:
            filled = (number for number, line in enumerate(text, start=1) if line.strip())
            return f"{self.label}:{next(number for index, number in enumerate(filled) if index == row)}"

    def _diagnose(self, error: Exception) -> DataError:
        return wrong_byte(self.file, "utf-8") or self._wrong_line() or super()._diagnose(error)

    def _wrong_line(self) -> DataError | None:
        lists = [name for name, dtype in getattr(self, "schema", {}).items() if dtype == pl.List(pl.String)]
        with self.file.open() as text:
            for number, line in enumerate(text, start=1):
                wrong = _wrong_object(line, lists) if line.strip() else None
                if wrong is not None:
                    return DataError(f"{self.label}:{number}: {wrong}.")
        return None


class ParquetTable(RawTable):
    """A parquet file; dates and times become seconds since 1970, with decimals if they have a part of a second."""

    def __init__(self, file: RawFile) -> None:
        frame = pl.scan_parquet(file.path, glob=False)
        try:
            types = frame.collect_schema()
        except (*_UNREADABLE, OSError) as error:
            raise DataError(f"{file.label}: not a parquet file ({str(error).splitlines()[0]}).") from error
        super().__init__(file, frame.select(_as_strings(name, dtype) for name, dtype in types.items()))

    def place(self, row: int) -> str:
        """`file, row n` (parquet has no lines), counted from 1."""
        return f"{self.label}, row {row + 1}"


def literal(path: Path) -> str:
    """A path as polars' readers of JSON lines take it, which always read `[`, `*` and `?` as a pattern."""
    return glob.escape(str(path))


def _quoting(quote: str | None) -> dict[str, Any]:
    return {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}


def _string_type(dtype: pl.DataType) -> pl.DataType:
    of_values = isinstance(dtype, pl.List) and not isinstance(dtype.inner, pl.Struct | pl.List)
    return pl.List(pl.String) if of_values else pl.String()


def _as_strings(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        return column.cast(pl.List(pl.String))
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _decimal_seconds(column.dt.epoch("us"))
    return column.cast(pl.String)


def _decimal_seconds(time: pl.Expr) -> pl.Expr:
    """Microseconds since 1970 as seconds: "1600000000" or "1600000000.250000"."""
    seconds = (time // schema.MICROSECONDS).cast(pl.String)
    rest = time % schema.MICROSECONDS
    digits = rest.cast(pl.String).str.zfill(6)
    return pl.when(rest == 0).then(seconds).otherwise(pl.concat_str([seconds, digits], separator="."))


def _wrong_object(line: bytes, lists: list[str]) -> str | None:
    try:
        value = json.loads(line.rstrip(b"\r\n"))
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg}, position {error.pos + 1} of the line)"
    if not isinstance(value, dict):
        return f"found {type(value).__name__}, expected a JSON object"
    infinite = [name for name, one in value.items() if isinstance(one, float) and not math.isfinite(one)]
    if infinite:
        return f"column '{infinite[0]}': found {value[infinite[0]]}, expected a finite number (JSON has no other)"
    wrong = [name for name in lists if not isinstance(value.get(name), list | None)]
    return f"column '{wrong[0]}': found {value[wrong[0]]!r}, expected a list" if wrong else None
