"""Raw tables as frames of checked values; rows that cannot be read are collected."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.data.sources.columns import (
    WITHOUT_ID,
    Column,
    identifier,
    refuse_first_row,
    refuse_lists,
    require,
)
from recsys.data.sources.faults import ERROR, BadRows
from recsys.data.sources.raw_tables import ROW, RawTable
from recsys.data.sources.time_units import with_unit
from recsys.schema import DataError

log = logging.getLogger(__name__)

TOO_MANY, TOO_FEW = "rows with too many fields", "rows with too few fields"
REPEATED_ID = "rows that repeat an id"
_MISSING = ["nan", "none", "null", "na", "n/a", "<na>", r"\n", "nat", "undefined"]


def read_columns(table: RawTable, columns: Mapping[str, Column], bad: BadRows | None = None) -> pl.DataFrame:
    """The chosen columns under their new names, each value checked. Blank lines are skipped.

    Args:
        table: The table to read.
        columns: The columns by their new names.
        bad: Collects the rows that cannot be read, which are dropped from the result; None raises an error for them.

    Raises:
        DataError: If a column is missing, there are no rows, or a value is invalid; the message names file, line,
            column, what was found and what was expected.
    """
    faults = BadRows() if bad is None else bad
    require(table, {column.raw: column.key for column in columns.values()})
    refuse_lists(table, columns)
    refuse_first_row(table, columns)
    columns = {name: with_unit(table, column) for name, column in columns.items()}
    parsed = [column.parse(pl.col(column.raw)).alias(name) for name, column in columns.items()]
    frame = table.collect(table.frame.select(parsed))
    check_height(table, frame.height)
    faults.reads(table.label, frame.height - len(table.blank), table.places)
    if len(table.ragged):
        frame = frame.filter(_kept(frame, table.ragged))
        add_ragged(table, faults)
    frame = _without_containers(table, columns, frame, faults)
    whole = frame.drop_nulls()
    if frame.height - whole.height > len(table.blank):
        _add_refused(table, columns, faults)
    if bad is None:
        faults.finish()
    _check_rows(table, whole.height, faults)
    for name, column in columns.items():
        if column.is_id:
            _warn_of_missing(table, column.raw, whole[name])
    return whole


def read_side_table(
    table: RawTable, raw_id: str, new_id: str, key: str = "", bad: BadRows | None = None, lists: Sequence[str] = ()
) -> pl.DataFrame:
    """A table of items or users with all its columns, the id's under its new name.

    Args:
        table: The table to read.
        raw_id: The id's column.
        new_id: Its new name.
        key: The configuration's key of the id's column.
        bad: Collects the rows that cannot be read, which are dropped from the result; None raises an error for them.
        lists: Columns that become lists if some of their values are lists.

    Raises:
        DataError: If the id's column is missing, an id is empty or repeated, or there are no rows.
    """
    faults = BadRows() if bad is None else bad
    column = identifier(raw_id, key)
    require(table, {raw_id: key})
    refuse_lists(table, {new_id: column})
    refuse_first_row(table, {new_id: column})
    frame = table.collect(table.frame)
    check_height(table, frame.height)
    faults.reads(table.label, frame.height - len(table.blank), table.places)
    ids = frame[raw_id]
    is_good = ~_mask(len(ids), table.blank)
    if len(table.ragged):
        add_ragged(table, faults)
        if faults.drops:  # for an error, interactions with these items should not be listed as faults too
            is_good &= _kept(frame, table.ragged)
    rows = table.containers(raw_id, ids)
    _add_values(table, column, rows, faults, WITHOUT_ID)
    is_good &= ~_mask(len(ids), rows)
    empty = is_good & (ids.is_null() | (ids == "").fill_null(True)) & _kept(frame, table.ragged)
    _add_values(table, column, empty.arg_true().to_numpy(), faults, WITHOUT_ID)
    is_good &= ~(ids.is_null() | (ids == "").fill_null(True))
    repeated = is_good & ~_first_of(ids, is_good) & _kept(frame, table.ragged)
    again = [(row, f"column '{raw_id}': found {ids[row]!r} again, expected each id once") for row in _first(repeated)]
    faults.add(REPEATED_ID, int(repeated.sum()), lambda n: again[:n], table.places)
    if bad is None:
        faults.finish()
    is_good &= ~repeated
    _check_rows(table, int(is_good.sum()), faults)
    frame = table.with_lists(frame, lists).filter(is_good)
    _warn_of_missing(table, raw_id, frame[raw_id])
    return frame.select(pl.col(raw_id).alias(new_id), pl.exclude(raw_id, new_id))


def refuse_nothing_left(table: RawTable, n: int, dropped: Mapping[str, int], advice: str = "") -> None:
    """Check that a table has rows left.

    Args:
        table: The table that was read.
        n: The number of rows that are left.
        dropped: The number of dropped rows, by kind.
        advice: The end of the message, if rows were dropped.

    Raises:
        DataError: If none is left; the message has the counts.
    """
    if n:
        return
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in dropped.items())
    found = f"no row is left ({kinds}){advice}" if kinds else "there are no rows"
    raise DataError(f"{table.label}: {found}.")


def check_height(table: RawTable, found: int) -> None:
    """Check that polars read as many rows as were counted in the file.

    Raises:
        DataError: If it read another number of rows.
    """
    if table.n_rows is not None and found != table.n_rows:
        advice = "check data.quote, data.escape and data.separator"
        raise DataError(f"{table.label}: {found:,} rows were read of {table.n_rows:,} in the file; {advice}.")


def add_ragged(table: RawTable, faults: BadRows) -> None:
    """Add the rows of a table with too many or too few fields."""
    for kind, is_long in ((TOO_MANY, True), (TOO_FEW, False)):
        rows = table.ragged_rows(is_long)

        def find(n: int, rows: NDArray[np.int64] = rows) -> list[tuple[int, str]]:
            return [(row, table.ragged_fault(row)) for row in rows[:n].tolist()]

        faults.add(kind, len(rows), find, table.places)


def _check_rows(table: RawTable, n: int, faults: BadRows) -> None:
    if not n:
        refuse_nothing_left(table, n, faults.finish(), f"; {faults.key}={ERROR} lists them" if faults.key else "")


def _mask(n: int, rows: NDArray[np.int64]) -> pl.Series:
    mask = np.zeros(n, np.bool_)
    mask[rows] = True
    return pl.Series(mask)


def _kept(frame: pl.DataFrame, rows: NDArray[np.int64]) -> pl.Series:
    return ~_mask(frame.height, rows)


def _first(mask: pl.Series) -> list[int]:
    return mask.arg_true().head(100).to_list()


def _first_of(ids: pl.Series, is_good: pl.Series) -> pl.Series:
    """Whether each good id is its first occurrence among the good ones."""
    rows = is_good.arg_true()
    first = np.zeros(len(ids), np.bool_)
    first[rows.filter(ids.gather(rows).is_first_distinct()).to_numpy()] = True
    return pl.Series(first)


def _add_values(table: RawTable, column: Column, rows: NDArray[np.int64], faults: BadRows, kind: str) -> None:
    """Add rows whose value in a column is invalid."""

    def find(n: int) -> list[tuple[int, str]]:
        wanted = pl.Series(rows[:n], dtype=pl.UInt32).implode()
        frame = table.frame.with_row_index(ROW).filter(pl.col(ROW).is_in(wanted)).select(ROW, column.raw)
        return [(row, column.refusal(value)) for row, value in table.collect(frame).rows()]

    faults.add(kind, len(rows), find, table.places)


def _without_containers(
    table: RawTable, columns: Mapping[str, Column], frame: pl.DataFrame, faults: BadRows
) -> pl.DataFrame:
    """The rows whose ids are neither lists nor objects."""
    wrong = np.zeros(frame.height, np.bool_)
    for name, column in columns.items():
        if column.is_id:
            rows = table.containers(column.raw, frame[name])
            rows = rows[~wrong[rows]]
            wrong[rows] = True
            _add_values(table, column, rows, faults, WITHOUT_ID)
    return frame.filter(pl.Series(~wrong)) if wrong.any() else frame


def _add_refused(table: RawTable, columns: Mapping[str, Column], faults: BadRows) -> None:
    """Add the rows with an invalid value, by the first column that has one."""
    skipped = pl.Series(np.concatenate([table.blank, table.ragged]), dtype=pl.UInt32).implode()
    numbered = table.frame.with_row_index(ROW).filter(~pl.col(ROW).is_in(skipped))
    by_column = [
        pl.when(column.parse(pl.col(column.raw)).is_null()).then(pl.lit(place, pl.Int8))
        for place, column in enumerate(columns.values())
    ]
    wrong = table.collect(numbered.select(ROW, pl.coalesce(by_column).alias("wrong")).drop_nulls())
    for place, column in enumerate(columns.values()):
        rows = wrong.filter(pl.col("wrong") == place)[ROW].to_numpy().astype(np.int64)
        _add_values(table, column, rows, faults, column.kind)


def _warn_of_missing(table: RawTable, column: str, ids: pl.Series) -> None:
    """Warn about ids such as nan, which usually mean a missing value; they are read as ids."""
    similar = ids.filter(ids.str.len_bytes() <= 9)
    named = similar.filter(similar.str.to_lowercase().is_in(_MISSING))
    if len(named):
        often = "which often means a missing value; it is read as an id"
        log.warning("%s: column '%s': %s rows have the id %r, %s.", table.label, column, len(named), named[0], often)
