"""Filters of the candidates: items that a file lists, and items whose columns fulfil a condition."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.sources.indexing import to_index
from recsys.schema import ConfigError, DataError
from recsys.serving.table_files import PLAIN, TextFormat, read_ids, read_table
from recsys.support.near_names import nearest


def allowed_items(
    items: pl.DataFrame,
    where: str | None,
    candidates: str | None,
    text: TextFormat = PLAIN,
) -> NDArray[np.bool_] | None:
    """(n_items,) whether an item passes both filters; None without filters.

    Args:
        items: Items of the run.
        where: An SQL condition over their columns.
        candidates: Path of a file of ids.
        text: Format of the file, if it is text.

    Raises:
        ConfigError: If the condition is invalid for the columns of the items, or no item is left.
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
    """(n_items,) whether an item fulfils a condition over typed columns or, if that fails, over columns of strings."""
    typed = with_types(items)
    kept = _selected(typed, where)
    if isinstance(kept, Exception) and not isinstance(texts := _selected(items, where), Exception):
        kept = texts
    if isinstance(kept, Exception):
        near = [name for name in re.findall(r"[A-Za-z_]\w*", where) if name not in items.columns]
        hint = next(filter(None, (nearest(name, items.columns) for name in near)), ".")
        columns = ", ".join(f"{name} ({kind})" for name, kind in typed.schema.items())
        if "compare string" in str(kept):
            cast = "CAST(REPLACE(price, ',', '.') AS DOUBLE) < 10"
            hint = f". Numbers with decimal commas are String: compare them as in {cast}."
        raise ConfigError(
            f"where={where!r} is no SQL condition over the items: {kept}. They have {columns}{hint}"
        ) from kept
    if kept.dtype != pl.Boolean or len(kept) != items.height:
        raise ConfigError(f"where={where!r} gives {kept.dtype}; expected a condition, true or false for each item.")
    return kept.fill_null(False).to_numpy()


def _selected(items: pl.DataFrame, where: str) -> pl.Series | Exception:
    try:
        return items.select(pl.sql_expr(where).alias("kept"))["kept"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return error


def with_types(items: pl.DataFrame) -> pl.DataFrame:
    """Convert string columns that only hold numbers or Booleans, since text files have no types.

    Ids and numbers with leading zeros, such as postcodes, stay strings. Empty strings become null in numeric columns.

    Example:
        >>> films = pl.DataFrame({"item_id": ["1"], "year": ["1995"], "stars": ["3.5"], "code": ["007"]})
        >>> with_types(films).dtypes
        [String, Int64, Float64, String]
    """
    names = [name for name, kind in items.schema.items() if kind == pl.String and name not in _TEXTS]
    return items.with_columns(_typed(items[name]) for name in names)


_TEXTS = (schema.ITEM_ID, schema.TEXT)


def _typed(column: pl.Series) -> pl.Series:
    texts = column.str.strip_chars().replace("", None)
    filled = texts.drop_nulls()
    if not len(filled) or filled.str.contains(r"^[+-]?0\d").any():
        return column
    for kind in (pl.Int64, pl.Float64):
        if filled.cast(kind, strict=False).is_finite().fill_null(False).all():
            return texts.cast(kind)
    is_flag = filled.str.to_lowercase().is_in(["true", "false"]).all()
    return texts.str.to_lowercase() == "true" if is_flag else column


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
        DataError: If an id is unknown; `label` names its source in the message.
    """
    rows = to_index(ids, items[schema.ITEM_ID])
    if rows.null_count():
        unknown = ids.filter(rows.is_null())
        raise DataError(
            f"{label}: found {unknown[0]!r}, expected the id of an item, such as {items[schema.ITEM_ID][0]!r} "
            f"({len(unknown)} unknown in all)."
        )
    return rows.to_numpy().astype(np.int64)
