"""One JSON object a line."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from glob import escape
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.sources.raw import RawFile, plain_text, wrong_byte
from recsys.data.sources.raw_tables import UNREADABLE, RawTable
from recsys.schema import DataError

_INFERRED_ROWS = 10_000
_OPENING = ("[", "{")


class JsonLinesTable(RawTable):
    """One JSON object a line; all values are read as strings, lists and objects as JSON.

    Python literals of dictionaries, with single quotes, are read too.

    Args:
        file: The file.
        scratch: A folder for a plain copy.
        encoding: The file's encoding.
        nested: A column that is a list of objects. Each of them is a row, with its own columns and those of its line.

    Attributes:
        lists: The columns that hold lists in the first 10,000 rows.

    Raises:
        DataError: If a line is not a JSON object, or `nested` is not a list of objects.
    """

    def __init__(self, file: RawFile, scratch: Path, encoding: str = "utf-8", nested: str | None = None) -> None:
        self.path, self.encoding = plain_text(file, scratch, encoding), encoding
        self.file, self.label, self.nested = file, file.label, nested
        if _is_python(self.path):
            self.path = self._as_json(scratch)
        inferred = self._inferred()
        self.lists = {name for name, dtype in inferred.items() if _is_list(dtype)}
        types: dict[str, Any] = dict.fromkeys(inferred, pl.String)
        if nested is not None:
            types[nested] = self._nested_type(inferred)
        frame = pl.scan_ndjson(literal(self.path), schema=types)
        super().__init__(file, frame if nested is None else frame.explode(nested, empty_as_null=False).unnest(nested))

    def places(self, rows: Sequence[int]) -> list[str]:
        """`file:line` of rows; blank lines are not rows."""
        if self.nested is None:
            return [f"{self.label}:{number}" for number, _ in self._objects(rows)]
        # An empty list has no row, and a missing one is a row without values.
        sizes = pl.scan_ndjson(literal(self.path), schema={self.nested: pl.List(pl.String)})
        ends = sizes.select(pl.col(self.nested).list.len().fill_null(1).cum_sum()).collect().to_series()
        owners = np.searchsorted(ends.to_numpy(), np.asarray(rows), side="right")
        distinct = np.unique(owners)
        numbers = dict(zip(distinct.tolist(), self._objects(distinct.tolist()), strict=True))
        return [f"{self.label}:{numbers[owner][0]}" for owner in owners.tolist()]

    def containers(self, column: str, texts: pl.Series) -> NDArray[np.int64]:
        """The rows whose value is a list or an object, and not a string that looks like one."""
        similar = (texts.str.starts_with("[") | texts.str.starts_with("{")).fill_null(False).arg_true().to_numpy()
        if not len(similar):
            return similar.astype(np.int64)
        objects = self._objects(similar.tolist())
        is_container = [isinstance(json.loads(line).get(column), list | dict) for _, line in objects]
        return similar[np.asarray(is_container)].astype(np.int64)

    def with_lists(self, frame: pl.DataFrame, lists: Sequence[str] = ()) -> pl.DataFrame:
        """All rows of the table, with columns of lists as lists of strings.

        A column that holds lists in some rows only becomes a string, with commas between the entries, unless it is
        named in `lists`.
        """
        for name in frame.columns:
            if frame.schema[name] != pl.String:
                continue
            if name in self.lists:
                frame = frame.with_columns(_lists(frame[name]))
            elif len(rows := self.containers(name, frame[name])):
                frame = frame.with_columns(_mixed(frame[name], rows, as_lists=name in lists))
        return frame

    def _inferred(self) -> Mapping[str, pl.DataType]:
        """The types of the columns in the first rows.

        Raises:
            DataError: If a line is not a JSON object.
        """
        try:
            return pl.scan_ndjson(literal(self.path), infer_schema_length=_INFERRED_ROWS).collect_schema()
        except UNREADABLE as error:
            wrong = wrong_byte(self.file, self.encoding) or self._wrong_line()
            if wrong is not None:
                raise wrong from error
        with self.path.open("rb") as text:  # polars cannot infer a column with objects in some rows only
            return types_of(json.loads(line) for line in islice(text, _INFERRED_ROWS) if line.strip())

    def _nested_type(self, inferred: Mapping[str, pl.DataType]) -> pl.DataType:
        found = inferred.get(self.nested or "")
        inner = found.inner if isinstance(found, pl.List) else None
        if not isinstance(inner, pl.Struct):
            what = "is not a list of objects" if found is not None else f"is missing; found {', '.join(inferred)}"
            raise DataError(f"{self.label}: column '{self.nested}' (data.interactions.nested) {what}.")
        return pl.List(pl.Struct({field.name: pl.String for field in inner.fields}))

    def _as_json(self, scratch: Path) -> Path:
        """A copy with the Python literals as JSON."""
        target = scratch / f"{len(list(scratch.iterdir()))}.jsonl"
        with self.path.open(encoding="utf-8") as source, target.open("w", encoding="utf-8") as out:
            for number, line in enumerate(source, start=1):
                try:
                    out.write(json.dumps(ast.literal_eval(line)) + "\n" if line.strip() else "\n")
                except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
                    place = f"{self.label}:{number}"
                    raise DataError(f"{place}: neither JSON nor an object of Python ({error}).") from error
        return target

    def _objects(self, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        """The line numbers and lines of ascending rows."""
        found: list[tuple[int, bytes]] = []
        row = 0
        with self.path.open("rb") as text:
            for number, line in enumerate(text, start=1):
                if len(found) == len(rows):
                    break
                if line.strip():
                    found += [(number, line)] if row == rows[len(found)] else []
                    row += 1
        return found

    def _diagnose(self, error: Exception) -> DataError:
        return wrong_byte(self.file, self.encoding) or self._wrong_line() or super()._diagnose(error)

    def _wrong_line(self) -> DataError | None:
        with self.path.open("rb") as text:
            for number, line in enumerate(text, start=1):
                wrong = _wrong_object(line) if line.strip() else None
                if wrong is not None:
                    return DataError(f"{self.label}:{number}: {wrong}.")
        return None


def literal(path: Path) -> str:
    """A path with `[`, `*` and `?` escaped, which polars' readers of JSON lines always read as a pattern."""
    return escape(str(path))


def words(value: Any) -> list[str]:
    """The strings, numbers and booleans in a JSON value as strings, in their order.

    Example:
        >>> words([["Books", "SF"], {"rank": 3}, None])
        ['Books', 'SF', '3']
    """
    if value is None:
        return []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [word for one in value for word in words(one)]
    return [value if isinstance(value, str) else json.dumps(value)]


def types_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, pl.DataType]:
    """The types of columns that may have objects in some rows only: lists, lists of objects, or strings.

    Example:
        >>> types_of([{"id": 1, "tags": ["a"]}, {"id": {"a": 1}, "tags": None}])
        {'id': String, 'tags': List(String)}
    """
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).extend([] if value is None else [value])
    return {name: _type_of(own) for name, own in values.items()}


def _type_of(values: Sequence[Any]) -> pl.DataType:
    if not values or not all(isinstance(value, list) for value in values):
        return pl.String()
    inner = [one for value in values for one in value]
    if inner and all(isinstance(one, dict) for one in inner):
        return pl.List(pl.Struct(dict.fromkeys((name for one in inner for name in one), pl.String)))
    return pl.List(pl.String)


def _is_python(path: Path) -> bool:
    """Whether the first line of a file is a Python literal of a dictionary, and not JSON."""
    with path.open("rb") as text:
        line = next((line for line in text if line.strip()), b"")
    if not line.startswith((b"{'", b"{u'")):
        return False
    try:
        return isinstance(ast.literal_eval(line.decode()), dict)
    except (ValueError, SyntaxError):
        return False


def _is_list(dtype: pl.DataType) -> bool:
    """Whether a type is a list of values, or of such lists."""
    return isinstance(dtype, pl.List) and (_is_list(dtype.inner) or not dtype.inner.is_nested())  # type: ignore[arg-type]


def _lists(column: pl.Series) -> pl.Series:
    """A column of JSON lists as lists of strings; a string becomes a list of one."""
    try:
        return column.str.json_decode(pl.List(pl.String))
    except pl.exceptions.PolarsError:  # nested lists, or strings among them
        return pl.Series(column.name, [_words_of(text) for text in column.to_list()], dtype=pl.List(pl.String))


def _words_of(text: str | None) -> list[str] | None:
    if text is None or not text.startswith(_OPENING):
        return None if text is None else [text]
    try:
        return words(json.loads(text))
    except ValueError:
        return [text]


def _mixed(column: pl.Series, rows: NDArray[np.int64], as_lists: bool) -> pl.Series:
    found = [words(json.loads(text)) for text in column.gather(rows).to_list()]
    if not as_lists:
        return column.scatter(rows, [", ".join(each) for each in found])
    values: list[list[str] | None] = [None if text is None else [text] for text in column.to_list()]
    for row, each in zip(rows.tolist(), found, strict=True):
        values[row] = each
    return pl.Series(column.name, values, dtype=pl.List(pl.String))


def _wrong_object(line: bytes) -> str | None:
    try:
        value = json.loads(line.rstrip(b"\r\n"))
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg}, position {error.pos + 1} of the line)"
    if not isinstance(value, dict):
        return f"found {type(value).__name__}, expected a JSON object"
    infinite = [name for name, one in value.items() if isinstance(one, float) and not math.isfinite(one)]
    if infinite:
        return f"column '{infinite[0]}': found {value[infinite[0]]}, expected a finite number (JSON has no other)"
    return None
