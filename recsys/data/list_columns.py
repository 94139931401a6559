"""The columns of a table of recommendation lists, by the names that recommender libraries give them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from recsys.schema import DataError

ROLES = ("user", "item", "rank", "score")
# In lower case, without `_`, and without the `:type` of RecBole's atomic files.
NAMES = {
    "user": ("user", "userid", "uid"),
    "item": ("item", "itemid", "iid"),
    "rank": ("rank", "position"),
    "score": ("score", "scores", "prediction", "rating"),
}
NEEDED = ("user", "item")
ITEMS = "items"  # LensKit's column of lists


def one_item_per_row(frame: pl.DataFrame, named: Mapping[str, str | None], place: str) -> pl.DataFrame:
    """The table with a row for each item of columns that hold whole lists, as LensKit's native parquet files do.

    Lists in other columns, such as an item's genres, stay lists.

    Args:
        frame: One row for each user, or for each user and item.
        named: The columns that the configuration names, by role.
        place: The file, for messages.

    Raises:
        DataError: If the lists of a row are of different lengths.

    Example:
        >>> lists = pl.DataFrame({"user_id": [7], "items": [[{"item_id": 3, "rank": 1}, {"item_id": 5, "rank": 2}]]})
        >>> one_item_per_row(lists, {}, "here").rows()
        [(7, 3, 1), (7, 5, 2)]
    """
    own = [named.get(role) for role in ("item", "rank", "score")]
    of_lists = {*NAMES["item"], *NAMES["rank"], *NAMES["score"], ITEMS}
    lists = [
        name
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.List | pl.Array) and (_plain(name) in of_lists or name in own)
    ]
    if not lists:
        return frame
    frame = frame.with_columns(frame[name].arr.to_list() for name in lists if isinstance(frame.schema[name], pl.Array))
    lengths = frame.select(pl.col(name).list.len().fill_null(0) for name in lists)
    unequal = (lengths.max_horizontal() != lengths.min_horizontal()).arg_true()
    if len(unequal):
        told = ", ".join(f"{name} {lengths[name][unequal[0]]}" for name in lists)
        raise DataError(f"{place}: row {unequal[0] + 1} has lists of different lengths: {told}.")
    rows = frame.filter(lengths[lists[0]] > 0).explode(lists)
    for name in lists:
        if isinstance(rows.schema[name], pl.Struct):
            rows = rows.unnest(name)
    return rows.rename({ITEMS: "item"}) if ITEMS in rows.columns else rows


def find_columns(frame: pl.DataFrame, named: Mapping[str, str | None], place: str) -> dict[str, str]:
    """The column of each role.

    Args:
        frame: One row for each user and item.
        named: The columns that the configuration names, by role.
        place: The file and its key, for messages.

    Raises:
        DataError: If a column is missing or ambiguous.

    Example:
        >>> find_columns(pl.DataFrame({"user_id:token": ["a"], "itemID": [7]}), {}, "here")
        {'user': 'user_id:token', 'item': 'itemID'}
    """
    found: dict[str, str] = {}
    absent: dict[str, str] = {}
    for role in ROLES:
        fitting = [name for name in frame.columns if _plain(name) in NAMES[role]]
        wanted = named.get(role)
        chosen = fitting if wanted is None else [name for name in frame.columns if name == wanted]
        if len(chosen) > 1:
            raise DataError(f"{place} has the columns {', '.join(chosen)}: choose the {role}, {_key(role)}.")
        if not chosen and (wanted is not None or role in NEEDED):
            absent[role] = wanted or role
        found |= dict.fromkeys([role], chosen[0]) if chosen else {}
    if absent:
        have, missing = ", ".join(frame.columns), " and no ".join(map(repr, absent.values()))
        raise DataError(f"{place} has no column {missing}; it has {have}. Name it, {' and '.join(map(_key, absent))}.")
    return found


def _key(role: str) -> str:
    return f"as in columns.{role}=… (ranker.lists.{role}=… in a study)"


def _plain(name: str) -> str:
    return name.partition(":")[0].strip().lower().replace("_", "")


def id_texts(column: pl.Series, place: str) -> pl.Series:
    """A column of ids as strings; integers that are stored as floats are written without a point.

    Raises:
        DataError: If the column holds lists, or a row has no id.

    Example:
        >>> id_texts(pl.Series("item", [7.0, 8.0]), "here").to_list()
        ['7', '8']
    """
    if column.dtype.is_nested():
        raise DataError(f"{place}: column {column.name!r} is {column.dtype}; expected one id in each row.")
    if column.dtype.is_float():
        column = column.fill_nan(None)  # as pandas writes a missing id
    if column.dtype.is_float() and (column.drop_nulls() == column.drop_nulls().round()).all():
        column = column.cast(pl.Int64, strict=False)
    ids = column.cast(pl.String)
    missing = ids.is_null() | (ids == "").fill_null(True)
    if missing.any():
        raise DataError(f"{place}: row {missing.arg_true()[0] + 1} has no {column.name}; expected an id in each row.")
    return ids
