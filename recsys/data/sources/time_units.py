"""Detection of the unit of a column of times from its values."""

from __future__ import annotations

import logging
from dataclasses import replace

import polars as pl

from recsys.data.sources import times, written_times
from recsys.data.sources.columns import BAD_TIME, Column, timestamp
from recsys.data.sources.raw_tables import RawTable
from recsys.schema import DataError

log = logging.getLogger(__name__)

_SAMPLE = 1000  # rows from which the unit is detected first


def with_unit(table: RawTable, column: Column) -> Column:
    """The column with the unit of its times.

    Columns that a file stores as dates or times are read as such. For `auto` the unit is detected from the values.

    Raises:
        DataError: If no unit fits, or several formats do.
    """
    if column.kind == BAD_TIME and column.raw in table.times:
        return timestamp(column.raw, "s", column.key)
    if column.unit_key is None:
        return column
    filled = table.frame.select(column.raw).filter(pl.col(column.raw) != "")
    first = table.collect(filled.head(_SAMPLE))[column.raw]
    if not len(first):
        return replace(timestamp(column.raw, "s", column.key), expected="a time")
    unit = _unit_of(first) or _rarer_unit(table, column, table.collect(filled.unique())[column.raw])
    if unit is None:
        units = f"set {column.unit_key} to {times.KNOWN}, as in %d.%m.%Y"
        raise DataError(f"{table.label}: column '{column.raw}': no unit of times fits {first[0]!r}; {units}.")
    expected = times.expected(unit, column.unit_key, is_detected=True)
    return replace(timestamp(column.raw, unit, column.key), expected=expected)


def _unit_of(values: pl.Series) -> str | None:
    return written_times.COMPACT_MINUTES if written_times.is_compact(values) else times.guess(values)


def _rarer_unit(table: RawTable, column: Column, distinct: pl.Series) -> str | None:
    """The unit by all values of the column, if the first ones have none; None if no unit fits."""
    unit = times.guess(distinct) or _written(table, column, distinct)
    if unit is not None or not times.are_small_numbers(distinct):
        return unit
    log.warning(
        "%s: column '%s': the numbers are too small for dates after 1970; they are read as seconds since 1970, which "
        "keeps the order of counted steps. If they have another form, set %s.",
        *(table.label, column.raw, column.unit_key),
    )
    return "s"


def _written(table: RawTable, column: Column, values: pl.Series) -> str | None:
    """The format of times such as 31.12.2020; None if no known format fits as many values as are plain numbers.

    Raises:
        DataError: If several fit.
    """
    found = written_times.fitting(values)
    if len(found) > 1:
        raise DataError(
            f"{table.label}: column '{column.raw}': several formats fit times such as {values.sort()[0]!r}; set "
            f"{' or '.join(f'{column.unit_key}={form!r}' for form in found)}."
        )
    return found[0] if found and _fits_most(values, found[0]) else None


def _fits_most(values: pl.Series, form: str) -> bool:
    """Whether a format fits at least as many values as are plain numbers."""
    fits = values.to_frame("time").select(times.parser(form)(pl.col("time")).is_not_null()).to_series()
    return int(fits.sum()) >= len(times.as_numbers(values.filter(~fits)))
