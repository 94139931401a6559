"""Filters of the candidates: items that a file lists, and items whose columns fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.sources.indexing import to_index
from recsys.schema import ConfigError, DataError
from recsys.serving.table_files import PLAIN, TextFormat, read_ids, read_table


def allowed_items(
    items: pl.DataFrame,
    where: str | None,
    candidates: str | None,
    text: TextFormat = PLAIN,
) -> NDArray[np.bool_] | None:
    """(n_items,) items that pass both filters; None without filters.

    Args:
        items: Of the run.
        where: A condition over their columns.
        candidates: A file of ids.
        text: How it is written, if it is text.

    Raises:
        ConfigError: If the condition is none over the columns of the items, or nothing is left.
        DataError: If the candidates' file is missing, malformed, or has an unknown id.
    """
    if where is None and candidates is None:
        return None
    allowed = np.ones(items.height, dtype=np.bool_)
    if where is not None:
        allowed &= _where(items, where)
    if candidates is not None:
        allowed &= _listed(items, Path(candidates).expanduser(), text)
    if not allowed.any():
        given = {"where": where, "candidates": candidates}
        named = " and ".join(f"{key}={value}" for key, value in given.items() if value is not None)
        raise ConfigError(f"{named}: none of {items.height} items is left to be recommended.")
    return allowed


def _where(items: pl.DataFrame, where: str) -> NDArray[np.bool_]:
    columns = ", ".join(f"{name} ({kind})" for name, kind in items.schema.items())
    try:
        kept = items.select(pl.sql_expr(where).alias("kept"))["kept"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise ConfigError(
            f"where={where!r} is no SQL condition over the items: {error}. They have {columns}."
        ) from error
    if kept.dtype != pl.Boolean or len(kept) != items.height:
        raise ConfigError(f"where={where!r} gives {kept.dtype}; expected a condition, true or false for each item.")
    return kept.fill_null(False).to_numpy()


def _listed(items: pl.DataFrame, path: Path, text: TextFormat) -> NDArray[np.bool_]:
    ids = read_ids(path, text)
    if ids is None:
        ids = read_table(path, "candidates", [schema.ITEM_ID], text)[schema.ITEM_ID]
    allowed = np.zeros(items.height, dtype=np.bool_)
    allowed[item_rows(items, ids, f"candidates: {path}")] = True
    return allowed


def item_rows(items: pl.DataFrame, ids: pl.Series, label: str) -> NDArray[np.int64]:
    """The index of each id.

    Raises:
        DataError: If one is unknown; `label` names where it was found.
    """
    rows = to_index(ids, items[schema.ITEM_ID])
    if rows.null_count():
        unknown = ids.filter(rows.is_null())
        raise DataError(
            f"{label}: found {unknown[0]!r}, expected the id of an item, such as {items[schema.ITEM_ID][0]!r} "
            f"({len(unknown)} unknown in all)."
        )
    return rows.to_numpy().astype(np.int64)
