"""Files of users: ids of known users, or histories and texts of new users."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.schema import DataError
from recsys.serving.item_filters import item_rows
from recsys.serving.model import Served
from recsys.serving.new_items import LIST_SEPARATOR
from recsys.serving.new_texts import check_serves_new_users, with_profile_texts, with_texts
from recsys.serving.table_files import PLAIN, TextFormat, read_ids, read_table
from recsys.serving.users import NEW, ServedUsers, known_users, new_users

KEY = "users"


def users_of_file(
    served: Served,
    path: Path,
    text: TextFormat = PLAIN,
) -> tuple[Served, ServedUsers]:
    """The users of a file, and the model with the texts of new users.

    In a file with a column `history` or `text`, all rows are new users, and `user_id` is only a name for the output. In
    other files, the ids are users of the data.

    Args:
        served: The model.
        path: Path of the file.
        text: Format of the file, if it is text.

    Raises:
        ConfigError: If a user is not in the data, or the model cannot represent new users.
        DataError: If the file is malformed, a user occurs twice, an item is unknown, or a text has no known word.
    """
    if (ids := read_ids(path, text)) is not None:
        return served, known_users(served, _checked(ids, path))
    frame = read_table(path, KEY, [], text)
    if not {schema.HISTORY, schema.TEXT} & set(frame.columns):
        return served, known_users(
            served, _checked(read_table(path, KEY, [schema.USER_ID], text)[schema.USER_ID], path)
        )
    if schema.USER_ID in frame.columns:
        ids = read_table(path, KEY, [schema.USER_ID], text)[schema.USER_ID]
    else:
        ids = pl.Series([f"{NEW} {row + 1}" for row in range(frame.height)], dtype=pl.String)
    _checked(ids, path)
    return _new(served, frame, ids, path)


def _new(served: Served, frame: pl.DataFrame, ids: pl.Series, path: Path) -> tuple[Served, ServedUsers]:
    lists, texts = _histories(frame, path), _texts(frame)
    for row, (items, text) in enumerate(zip(lists, texts, strict=True)):
        if not items and not text:
            raise DataError(f"{KEY}: {path}: row {row + 1} has neither {schema.HISTORY} nor {schema.TEXT}.")
    check_serves_new_users(served, by_text=any(texts))
    flat = pl.Series([item for items in lists for item in items], dtype=pl.String)
    known = item_rows(served.items, flat, f"{KEY}: {path}")
    histories = np.split(known, np.cumsum([len(items) for items in lists])[:-1])
    if any(texts):
        served, histories = _with_words(served, histories, texts, path)
    return served, with_profile_texts(served, new_users(ids, histories), texts)


def _with_words(
    served: Served, histories: list[NDArray[np.int64]], texts: Sequence[str], path: Path
) -> tuple[Served, list[NDArray[np.int64]]]:
    """Add each text as the newest item of its user's history."""
    writers = [row for row, text in enumerate(texts) if text]
    first = served.items.height
    served, unread = with_texts(served, [texts[row] for row in writers])
    if len(unread):
        row = writers[int(unread[0])]
        raise DataError(f"{KEY}: {path}: row {row + 1}: the run's encoder knows no word of {texts[row]!r}.")
    for place, row in enumerate(writers):
        histories[row] = np.append(histories[row], first + place)
    return served, histories


def _histories(frame: pl.DataFrame, path: Path) -> list[list[str]]:
    if schema.HISTORY not in frame.columns:
        return [[]] * frame.height
    column = frame[schema.HISTORY]
    if column.dtype == pl.String:
        column = column.str.split(LIST_SEPARATOR)
    if not isinstance(column.dtype, pl.List) and column.dtype != pl.Null:
        raise DataError(
            f"{KEY}: {path}: column {schema.HISTORY!r} is {column.dtype}; expected lists of item ids, in csv with "
            f"{LIST_SEPARATOR} between them."
        )
    if isinstance(column.dtype, pl.List) and column.dtype.inner.is_nested():
        raise DataError(f"{KEY}: {path}: column {schema.HISTORY!r} is {column.dtype}; expected lists of item ids.")
    trimmed = column.cast(pl.List(pl.String)).list.eval(pl.element().str.strip_chars())
    return [[item for item in items or [] if item] for items in trimmed.to_list()]


def _texts(frame: pl.DataFrame) -> list[str]:
    if schema.TEXT not in frame.columns:
        return [""] * frame.height
    return frame[schema.TEXT].cast(pl.String).fill_null("").str.strip_chars().to_list()


def _checked(ids: pl.Series, path: Path) -> list[str]:
    if not len(ids):
        raise DataError(f"{KEY}: {path} names no users; expected one in each row.")
    twice = ids.is_first_distinct().not_()
    if twice.any():
        row = twice.arg_true()[0]
        raise DataError(f"{KEY}: {path}: row {row + 1}: found the user {ids[row]!r} again, expected each once.")
    return ids.to_list()
