"""Texts that a language model wrote about users, added to a table of users."""

from __future__ import annotations

import polars as pl

from recsys.data.written_texts import ABOUT_USERS, read_all
from recsys.experiment.finished import Run
from recsys.schema import USER_ID, WRITTEN, ConfigError


def with_written(users: pl.DataFrame, run: Run, path: str | None) -> pl.DataFrame:
    """The table with a further column `written`, null for users without a text; unchanged if there are no texts.

    Args:
        users: A table with the column `user_id`.
        run: The run whose own texts are taken if `path` is None.
        path: A parquet file of `recsys write users`.

    Raises:
        ConfigError: If the file cannot be read, is about items, or is about none of these users.
    """
    texts = _texts(run, path)
    if texts is None:
        return users
    joined = users.join(texts.select(USER_ID, WRITTEN), on=USER_ID, how="left", maintain_order="left")
    if path is not None and joined[WRITTEN].null_count() == joined.height:
        raise ConfigError(f"written={path} has no text about any of the {joined.height:,} users that are shown.")
    return joined


def _texts(run: Run, path: str | None) -> pl.DataFrame | None:
    if path is None:
        own = run.split.dataset.users
        return own if WRITTEN in own.columns else None
    (texts,) = read_all(path)
    if texts.about != ABOUT_USERS:
        raise ConfigError(f"written={path} is about {texts.about}; expected a file of recsys write users.")
    return texts.table
