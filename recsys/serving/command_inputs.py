"""Items and users that the configuration of a command names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from recsys import schema
from recsys.schema import ConfigError
from recsys.serving.item_filters import item_rows
from recsys.serving.model import Served
from recsys.serving.new_items import check_serves_new_items, read_items, template_of
from recsys.serving.new_texts import check_serves_new_users, nearest, with_items, with_profile_texts, with_text
from recsys.serving.request import ALL_USERS
from recsys.serving.table_files import TextFormat
from recsys.serving.user_files import users_of_file
from recsys.serving.users import ServedUsers, known_users, new_user
from recsys.support.ids import ids_of_key


def with_new_items(cfg: DictConfig, served: Served, console: Console) -> Served:
    """The model with the new items of the file `items=`, if it is given, after the run's items.

    Raises:
        ConfigError: If the model cannot represent new items.
        DataError: If the file is malformed.
    """
    if cfg["items"] is None:
        return served
    check_serves_new_items(served)
    path = Path(cfg["items"]).expanduser()
    extended = with_items(served, read_items(path, served.items, template_of(served.run.cfg), TextFormat.of(cfg.data)))
    new = extended.text_vectors[served.n_items :]
    blank = np.flatnonzero(~new.any(axis=1))
    told = f"{len(new)} new items: {path}"
    if len(blank):
        first = extended.items[schema.ITEM_ID][served.n_items + int(blank[0])]
        told += f"; the encoder knows no word of {len(blank)} of them, first {first!r}: their scores are not meaningful"
    console.print(told, highlight=False, markup=False)
    return extended


def chosen_users(cfg: DictConfig, served: Served, console: Console) -> tuple[Served, ServedUsers]:
    """The users that the configuration names, and the model with a new user's text.

    Raises:
        ConfigError: If a user is named twice or is not in the data, or the model cannot represent new users.
        DataError: If the file of users is malformed, or an item is unknown.
    """
    if cfg.users == ALL_USERS:
        return served, known_users(served)
    if cfg.users is not None:
        return users_of_file(served, Path(cfg.users).expanduser(), TextFormat.of(cfg.data))
    if cfg.user is not None:
        named = ids_of_key(cfg, "user")
        for place, user_id in enumerate(named):
            if user_id in named[:place]:
                raise ConfigError(f"user names {user_id!r} more than once; expected each user once.")
        return served, known_users(served, named)
    check_serves_new_users(served, cfg.text is not None)
    ids = pl.Series(ids_of_key(cfg, "history"), dtype=pl.String)
    history = item_rows(served.items, ids, "history")
    if cfg.text is not None:
        served = with_text(served, str(cfg.text))
        history = np.append(history, served.n_items)
        console.print("Items with the nearest texts:", highlight=False)
        for title, cosine in nearest(served, served.n_items):
            console.print(f"  {cosine:.2f}  {title}", highlight=False, markup=False)
    words = "" if cfg.text is None else str(cfg.text)
    return served, with_profile_texts(served, new_user(history), [words])
