"""The command `recommend`: what a run's model recommends to whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console

import recsys
from recsys import schema
from recsys.schema import ConfigError
from recsys.serving.explaining import check_explains, explain
from recsys.serving.ids import ids_of_key, one_id
from recsys.serving.item_filters import allowed_items, item_rows
from recsys.serving.mmr import check_mmr, diverse
from recsys.serving.model import Served, serve
from recsys.serving.new_items import check_serves_new_items, read_items, template_of
from recsys.serving.new_texts import check_serves_new_users, nearest, with_items, with_profile_texts, with_text
from recsys.serving.output import recommendations, show, write
from recsys.serving.ranking import rank
from recsys.serving.request import ALL_USERS, check_request
from recsys.serving.user_files import users_of_file
from recsys.serving.users import ServedUsers, known_users, new_user
from recsys.support.screen import Screen


def recommend_command(cfg: DictConfig, console: Console | None = None) -> None:
    """Print or write the best items for the users that the configuration names.

    Raises:
        ConfigError: If no user is named, or a value is unknown or impossible.
        DataError: If a file is malformed.
    """
    console = console or Screen()
    check_request(cfg)
    served = serve(recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir))
    check_mmr(served, cfg.mmr)
    if cfg.n_reasons is not None:
        check_explains(served, cfg.explain_method)
    served = with_new_items(cfg, served, console)
    served, users = chosen_users(cfg, served, console)
    allowed = allowed_items(served.items, cfg.where, cfg.candidates)
    if not cfg.catalogue:
        allowed = only_new(served, allowed)
    # Without re-ranking a list is its own pool.
    pool = rank(served, users, max(cfg.top_k, cfg.mmr_pool) if cfg.mmr > 0 else cfg.top_k, allowed)
    ranking = diverse(served, pool, cfg.top_k, cfg.mmr)
    reasons = None if cfg.n_reasons is None else explain(served, users, ranking, cfg.n_reasons, cfg.explain_method)
    frame = recommendations(served, users, ranking, reasons)
    if cfg.output is None:
        show(frame, console)
    else:
        write(frame, cfg.output, console)


def with_new_items(cfg: DictConfig, served: Served, console: Console) -> Served:
    """The model with the items of `items=`, if there are any, after those that it was made on."""
    if cfg["items"] is None:
        return served
    check_serves_new_items(served)
    path = Path(cfg["items"]).expanduser()
    extended = with_items(served, read_items(path, served.items, template_of(served.run.cfg)))
    new = extended.text_vectors[served.n_items :]
    blank = np.flatnonzero(~new.any(axis=1))
    told = f"{len(new)} new items: {path}"
    if len(blank):
        first = extended.items[schema.ITEM_ID][served.n_items + int(blank[0])]
        told += f"; the encoder knows no word of {len(blank)} of them, first {first!r}, and scores them blindly"
    console.print(told, highlight=False, markup=False)
    return extended


def only_new(served: Served, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """(n_items,) what of `allowed` (None for all) the run was not made on.

    Raises:
        ConfigError: If nothing is left.
    """
    new = np.arange(served.items.height) >= served.run.split.dataset.n_items
    new = new if allowed is None else new & allowed
    if not new.any():
        raise ConfigError("catalogue=false recommends new items alone: where or candidates lets none of them through.")
    return new


def chosen_users(cfg: DictConfig, served: Served, console: Console) -> tuple[Served, ServedUsers]:
    """The users that the configuration names, and the model with what a new user wrote."""
    if cfg.users == ALL_USERS:
        return served, known_users(served)
    if cfg.users is not None:
        return users_of_file(served, Path(cfg.users).expanduser())
    if cfg.user is not None:
        return served, known_users(served, ids_of_key(cfg, "user"))
    check_serves_new_users(served, cfg.text is not None)
    ids = pl.Series(ids_of_key(cfg, "history"), dtype=pl.String)
    history = item_rows(served.items, ids, "history")
    if cfg.text is not None:
        served = with_text(served, str(cfg.text))
        history = np.append(history, served.n_items)
        console.print("The items whose texts are nearest to what was written:", highlight=False)
        for title, cosine in nearest(served, served.n_items):
            console.print(f"  {cosine:.2f}  {title}", highlight=False, markup=False)
    words = "" if cfg.text is None else str(cfg.text)
    return served, with_profile_texts(served, new_user(history), [words])
