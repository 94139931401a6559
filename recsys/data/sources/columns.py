"""Parsers of raw columns: ids, ratings, times and parts of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from recsys import schema
from recsys.data.sources import times
from recsys.data.sources.csv_table import CsvTable, is_value, separator_hint
from recsys.data.sources.raw_tables import ParquetTable, RawTable
from recsys.schema import DataError
from recsys.support.near_names import nearest

_YEAR_1971 = 31_536_000
_WITH_COMMA = re.compile(r"[-+]?\d*,\d+")
WITHOUT_ID, BAD_TIME = "rows without an id", "rows with a bad time"


@dataclass(frozen=True)
class Column:
    """A raw column with its parser and its descriptions for messages.

    Attributes:
        raw: Its name in the file.
        parse: The parser; it returns null for an invalid value.
        expected: The expected values, for the message.
        key: The configuration's key that names the column, if there is one.
        kind: Name of rows with an invalid value, in the plural, for the statistics.
        unit_key: The configuration's key of a time's unit, if the unit is detected from the values.
        comma_key: The configuration's key for numbers with a decimal comma; empty if there is none.
    """

    raw: str
    parse: Callable[[pl.Expr], pl.Expr]
    expected: str
    key: str = ""
    kind: str = "rows with a bad value"
    unit_key: str | None = None
    comma_key: str = ""

    @property
    def is_id(self) -> bool:
        """Whether it holds ids."""
        return self.kind == WITHOUT_ID

    def refusal(self, value: str | None) -> str:
        """The message about an invalid value."""
        found = "nothing" if value is None or value == "" else repr(value)
        has_comma = bool(self.comma_key and value and _WITH_COMMA.fullmatch(value.strip()))
        advice = f"; if commas are decimal commas, set {self.comma_key}=true" if has_comma else ""
        return f"column '{self.raw}': found {found}, expected {self.expected}{advice}"


def identifier(raw: str, key: str = "") -> Column:
    """A raw id: any string that is not empty."""
    return Column(raw, lambda text: pl.when(text != "").then(text), "an id", key, WITHOUT_ID)


def rating(raw: str, key: str = "", comma_key: str = "", decimal_comma: bool = False) -> Column:
    """A rating: a finite number, as float32.

    Args:
        raw: The column's name.
        key: The configuration's key of the column.
        comma_key: The configuration's key of `decimal_comma`; empty if there is none.
        decimal_comma: Whether decimals follow a comma, as in 4,5; a point, which may separate thousands, is invalid.
    """
    kind = "rows with a bad number"
    if decimal_comma:
        expected = f"a finite number with a decimal comma ({comma_key}=true)"
        return Column(raw, _finite_with_comma, expected, key, kind)
    return Column(raw, _finite, "a finite number", key, kind, comma_key=comma_key)


def part(raw: str, key: str = "") -> Column:
    """A part of a split: train, val or test."""
    parts = (schema.TRAIN, schema.VAL, schema.TEST)
    advice = f" (or {key}=null if the column is something else)" if key else ""
    expected, kind = f"train, val or test{advice}", "rows with an unknown part"
    return Column(raw, lambda text: pl.when(text.is_in(parts)).then(text), expected, key, kind)


def timestamp(raw: str, unit: str = "s", key: str = "", unit_key: str = "") -> Column:
    """A time between 1970 and 2100 as whole microseconds since 1970.

    Args:
        raw: The column's name.
        unit: `s`, `ms`, `us` or `ns` since 1970; `iso`; a format such as `%Y-%m-%d %H:%M:%S`, read as UTC without a
            zone; or `auto`, which detects one of these from the values.
        key: The configuration's key of the column.
        unit_key: The configuration's key of the unit, if there is one.

    Raises:
        ConfigError: If the unit is unknown.
    """
    kind = BAD_TIME
    if unit == times.AUTO:
        return Column(raw, lambda text: text, "a time", key, kind, unit_key)
    return Column(raw, times.parser(unit, unit_key), times.expected(unit, unit_key), key, kind)


def require(table: RawTable, wanted: Mapping[str, str]) -> None:
    """Check that the table has the columns `wanted` (name: configuration key, or "").

    Raises:
        DataError: If one is missing; the message lists the columns and the most similar name.
    """
    found = table.columns
    for name, key in wanted.items():
        named = f" ({key})" if key else ""
        if f"{name}_duplicated_0" in found:
            raise DataError(f"{table.label}: several columns are called '{name}'{named}; expected one.")
        if name in found:
            continue
        if isinstance(table, ParquetTable) and name in table.left_out:
            kind = table.left_out[name]
            raise DataError(f"{table.label}: column '{name}'{named} is {kind}; expected texts, numbers or times.")
        guess = nearest(shown(name), map(shown, found), "'") or "."
        listed = ", ".join(map(shown, found))
        raise DataError(f"{table.label}: there is no column '{name}'{named}; found {listed}{guess}{header_hint(table)}")


def shown(text: str) -> str:
    r"""A text with its tabs and other control characters written out.

    Example:
        >>> shown("user\tid")
        'user\\tid'
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def check_unit(found: pl.Series, unit: str, label: str, unit_key: str) -> None:
    """Check that times in this unit are not all before 1971, which means that their unit is coarser.

    Raises:
        DataError: If they all are.
    """
    newest = found.max()
    if unit in times.UNITS and unit != "s" and isinstance(newest, int) and newest < _YEAR_1971 * schema.MICROSECONDS:
        raise DataError(f"{label}: as {unit} since 1970 no timestamp is later than 1970; is {unit_key}=s meant?")


def refuse_lists(table: RawTable, columns: Mapping[str, Column]) -> None:
    """Check that no column holds lists.

    Raises:
        DataError: If one does.
    """
    types = table.frame.collect_schema()
    for column in columns.values():
        if isinstance(types[column.raw], pl.List):
            raise DataError(f"{table.label}: column '{column.raw}': found lists, expected {column.expected}.")


def refuse_first_row(table: RawTable, columns: Mapping[str, Column]) -> None:
    """Check that no column's name is a value of the first row, in a file without a header.

    Raises:
        DataError: If one is.
    """
    if not table.first_row_is_data:
        return
    named = [
        column.raw for column in columns.values() if (column.is_id or column.kind == BAD_TIME) and is_value(column.raw)
    ]
    if named:
        raise DataError(f"{table.label}: the column '{named[0]}' is named by a value.{header_hint(table)}")


def header_hint(table: RawTable) -> str:
    """The end of a message about missing columns: a hint if the header looks like data or has another separator."""
    columns = table.columns
    if table.first_row_is_data:
        n = len(columns)
        return (
            f" The first row looks like data: if the file has no header, set data.header=false and name its {n} columns"
            " in their order, as in data.columns=[user_id,item_id,…] (data.items.columns and data.users.columns for"
            " the other tables)."
        )
    if len(columns) > 1 or not isinstance(table, CsvTable):
        return ""
    return separator_hint(columns[0], table.separator_key)


def _finite_with_comma(text: pl.Expr) -> pl.Expr:
    is_pointed = text.str.contains(".", literal=True)
    return pl.when(~is_pointed).then(_finite(text.str.replace(",", ".", literal=True)))


def _finite(text: pl.Expr) -> pl.Expr:
    number = text.str.strip_chars().cast(pl.Float32, strict=False)
    return pl.when(number.is_finite()).then(number)
