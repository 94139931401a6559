"""How raw columns become ids, ratings and times, and what is said of the first value that does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import polars as pl

from recsys import schema
from recsys.data.sources.tables import ROW, RawTable
from recsys.schema import ConfigError, DataError

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_YEAR_1971, _YEAR_2100 = 31_536_000, 4_102_444_800


@dataclass(frozen=True)
class Column:
    """How one raw column is read.

    Attributes:
        raw: Its name in the file.
        parse: Gives null for a value that is refused.
        expected: What a value should have been, for the message.
        key: The configuration's key that names the column, if one does.
    """

    raw: str
    parse: Callable[[pl.Expr], pl.Expr]
    expected: str
    key: str = ""


def identifier(raw: str, key: str = "") -> Column:
    """A raw id: any string that is not empty."""
    return Column(raw, lambda text: pl.when(text != "").then(text), "an id", key)


def rating(raw: str, key: str = "") -> Column:
    """A finite number, as float32."""
    return Column(raw, _finite, "a finite number", key)


def part(raw: str, key: str = "") -> Column:
    """train, val or test."""
    parts = (schema.TRAIN, schema.VAL, schema.TEST)
    advice = f" (or {key}=null if the column is something else)" if key else ""
    return Column(raw, lambda text: pl.when(text.is_in(parts)).then(text), f"train, val or test{advice}", key)


def timestamp(raw: str, unit: str = "s", key: str = "", unit_key: str = "") -> Column:
    """A time between 1970 and 2100 as whole microseconds since 1970.

    Args:
        raw: The column's name.
        unit: `s`, `ms`, `us` or `ns` since 1970, or a format such as `%Y-%m-%d %H:%M:%S` (taken as UTC).
        key: The configuration's key of the column.
        unit_key: The configuration's key of the unit, if there is one.

    Raises:
        ConfigError: If the unit is unknown.
    """
    if "%" in unit:
        written = f"a time written as {unit}" + (f" ({unit_key})" if unit_key else "")
        return Column(raw, partial(_written_time, unit=unit), written, key)
    if unit not in UNITS:
        raise ConfigError(f"{unit_key or 'timestamp unit'}={unit} is unknown; use {', '.join(UNITS)} or a % format.")
    advice = f"; if it counts something else, set {unit_key}" if unit_key else ""
    expected = f"a time between 1970 and 2100 in {unit} since 1970{advice}"
    return Column(raw, partial(_counted_time, unit=unit), expected, key)


def read_columns(table: RawTable, columns: Mapping[str, Column]) -> pl.DataFrame:
    """The chosen columns under their new names, each value checked. Blank lines are skipped.

    Raises:
        DataError: If a column is missing, there are no rows, or a value is refused; the message names file, line,
            column, what was found and what was expected.
    """
    require(table, {column.raw: column.key for column in columns.values()})
    types = table.frame.collect_schema()
    for column in columns.values():
        if isinstance(types[column.raw], pl.List):
            raise DataError(f"{table.label}: column '{column.raw}': found lists, expected {column.expected}.")
    parsed = [column.parse(pl.col(column.raw)).alias(name) for name, column in columns.items()]
    frame = table.collect(table.frame.select(parsed))
    if any(count for count in frame.null_count().row(0)):
        _refuse_first(table, columns)
        frame = frame.drop_nulls()
    if not frame.height:
        raise DataError(f"{table.label}: there are no rows.")
    return frame


def read_side_table(table: RawTable, raw_id: str, new_id: str, key: str = "") -> pl.DataFrame:
    """A table of items or users with all its columns, the id's under its new name.

    Raises:
        DataError: If the id's column is missing, an id is empty or there twice, or there are no rows.
    """
    ids = read_columns(table, {new_id: identifier(raw_id, key)})
    refuse_repeated(table, raw_id, ids[new_id])
    is_filled = pl.col(raw_id) != ""  # the other rows are blank lines: an empty id has been refused
    return table.collect(table.frame.filter(is_filled).select(pl.col(raw_id).alias(new_id), pl.exclude(raw_id, new_id)))


def require(table: RawTable, wanted: Mapping[str, str]) -> None:
    """Check that the table has the columns `wanted` (name: configuration key, or "").

    Raises:
        DataError: If it has not; the message lists those that it has, and the nearest.
    """
    found = table.columns
    for name, key in wanted.items():
        if name not in found:
            near = _nearest(name, found)
            named = f" ({key})" if key else ""
            guess = f"; did you mean '{near}'?" if near else "."
            raise DataError(f"{table.label}: there is no column '{name}'{named}; found {', '.join(found)}{guess}")


def check_unit(times: pl.Series, unit: str, label: str, unit_key: str) -> None:
    """Refuse a unit under which nothing is younger than 1971: the numbers are of a coarser unit.

    Raises:
        DataError: If so.
    """
    newest = times.max()
    if unit in UNITS and unit != "s" and isinstance(newest, int) and newest < _YEAR_1971 * schema.MICROSECONDS:
        raise DataError(f"{label}: as {unit} since 1970 no timestamp is later than 1970; is {unit_key}=s meant?")


def refuse_unknown(table: RawTable, column: str, ids: pl.Series, known: pl.Series, expected: str) -> None:
    """Check that all `ids`, read from `column`, are among the `known`.

    Raises:
        DataError: If not; the message names the first line with an unknown one, and how many there are.
    """
    unknown = ids.unique().to_frame("id").join(known.to_frame("id"), on="id", how="anti")["id"]
    if len(unknown):
        row = table.first_row(pl.col(column).is_in(unknown.implode()))
        found = f"found {_value(table, column, row)!r}, expected {expected}"
        raise DataError(f"{table.place(row)}: column '{column}': {found} ({len(unknown):,} unknown in all).")


def refuse_repeated(table: RawTable, column: str, ids: pl.Series) -> None:
    """Check that no id is there twice.

    Raises:
        DataError: If one is; the message names the line of the second.
    """
    if ids.n_unique() < len(ids):
        row = table.first_row(~pl.col(column).is_first_distinct() & (pl.col(column) != ""))
        found = f"found {_value(table, column, row)!r} again, expected each id once"
        raise DataError(f"{table.place(row)}: column '{column}': {found}.")


@dataclass(frozen=True)
class UnknownItems:
    """What to do with interactions of items that the items' table lacks.

    Attributes:
        choice: `error` or `drop`.
        key: The configuration's key of the choice.
        label: How messages name the items' table.
    """

    choice: str
    key: str
    label: str

    def __post_init__(self) -> None:
        if self.choice not in ("error", "drop"):
            raise ConfigError(f"{self.key}={self.choice} is unknown; use error or drop.")

    def apply(
        self, table: RawTable, column: str, interactions: pl.DataFrame, items: pl.DataFrame
    ) -> tuple[pl.DataFrame, dict[str, int]]:
        """The interactions with known items, and how many were dropped.

        Raises:
            DataError: If the choice is `error` and an item is unknown.
        """
        known = items[schema.ITEM_ID]
        if self.choice == "error":
            expected = f"an item of {self.label} (or {self.key}=drop)"
            refuse_unknown(table, column, interactions[schema.ITEM_ID], known, expected)
            return interactions, {}
        kept = interactions.filter(pl.col(schema.ITEM_ID).is_in(known.implode()))
        lost = interactions.height - kept.height
        return kept, ({"interactions with unknown items": lost} if lost else {})


def _refuse_first(table: RawTable, columns: Mapping[str, Column]) -> None:
    """Raise for the first refused value of the file, unless all are on blank lines."""
    refused = [column.parse(pl.col(column.raw)).is_null() for column in columns.values()]
    blank = pl.all_horizontal(pl.all().exclude(ROW).is_null())
    rows = table.frame.with_row_index(ROW).filter(pl.any_horizontal(refused), ~blank)
    first = table.collect(rows.head(1))
    if not first.height:
        return
    for column in columns.values():
        if first.select(column.parse(pl.col(column.raw)).is_null()).item():
            value = first[column.raw].item()
            found = "nothing" if value is None or value == "" else repr(value)
            place = table.place(first[ROW].item())
            raise DataError(f"{place}: column '{column.raw}': found {found}, expected {column.expected}.")


def _value(table: RawTable, column: str, row: int) -> str:
    return table.collect(table.frame.slice(row, 1).select(column)).item()


def _nearest(name: str, found: list[str]) -> str | None:
    folded = {other.casefold(): other for other in found}
    near = get_close_matches(name.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def _finite(text: pl.Expr) -> pl.Expr:
    number = text.str.strip_chars().cast(pl.Float32, strict=False)
    return pl.when(number.is_finite()).then(number)


def _counted_time(text: pl.Expr, unit: str) -> pl.Expr:
    """Whole numbers are converted exactly; decimals are rounded to microseconds."""
    trimmed, per_second = text.str.strip_chars(), UNITS[unit]
    whole = _in_range(trimmed.cast(pl.Int64, strict=False), per_second)
    exact = (
        whole // (per_second // schema.MICROSECONDS) if unit == "ns" else whole * (schema.MICROSECONDS // per_second)
    )
    decimal = _in_range(trimmed.cast(pl.Float64, strict=False), per_second)
    rounded = (decimal * (schema.MICROSECONDS / per_second)).round().cast(pl.Int64)
    return pl.coalesce(exact, rounded)


def _written_time(text: pl.Expr, unit: str) -> pl.Expr:
    return _in_range(text.str.to_datetime(unit, strict=False, time_unit="us").dt.epoch("us"), schema.MICROSECONDS)


def _in_range(time: pl.Expr, per_second: int) -> pl.Expr:
    return pl.when(time.is_between(0, _YEAR_2100 * per_second, closed="left")).then(time)
