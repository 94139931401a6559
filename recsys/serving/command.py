"""The command `recommend`: what a run's model recommends to whom."""

from __future__ import annotations

import numpy as np
import polars as pl
from omegaconf import DictConfig, ListConfig
from rich.console import Console

import recsys
from recsys.schema import ConfigError
from recsys.serving.filters import allowed_items, item_rows
from recsys.serving.new_texts import check_serves_new_users, nearest, with_text
from recsys.serving.output import check_output, recommendations, show, write
from recsys.serving.ranking import rank
from recsys.serving.served import Served
from recsys.serving.users import Users, known_users, new_user

ALL = "all"


def recommend_command(cfg: DictConfig, console: Console | None = None) -> None:
    """Print or write the best items for the users that the configuration names.

    Raises:
        ConfigError: If no user is named, or a value is unknown or impossible.
        DataError: If a file is malformed.
    """
    console = console or Console()
    check_request(cfg)
    served = recsys.load(cfg.run, cfg.paths.runs_dir).served
    served, users = chosen_users(cfg, served, console)
    allowed = allowed_items(served.items, cfg.where, cfg.candidates)
    frame = recommendations(served, users, rank(served, users, cfg.top_k, allowed))
    if cfg.output is None:
        show(frame, console)
    else:
        write(frame, cfg.output, console)


def check_request(cfg: DictConfig) -> None:
    """Refuse what cannot be answered, before the run is loaded.

    Raises:
        ConfigError: Naming the key.
    """
    check_output(cfg.output)
    if not isinstance(cfg.top_k, int) or cfg.top_k < 1:
        raise ConfigError(f"top_k is {cfg.top_k!r}; expected a whole number of at least 1.")
    if cfg.users not in (None, ALL):
        raise ConfigError(f"users is {cfg.users!r}; expected all, or user=[ids].")
    is_new = cfg.history is not None or cfg.text is not None
    if (cfg.user is not None) + (cfg.users is not None) + is_new != 1:
        keys = ("user", "users", "history", "text")
        found = " and ".join(f"{key}={cfg[key]}" for key in keys if cfg[key] is not None) or "none"
        raise ConfigError(
            "users are named once: user=<id>, user=[ids] or users=all, or a new one by history=[item ids], "
            f"text=… or both; found {found}."
        )


def chosen_users(cfg: DictConfig, served: Served, console: Console) -> tuple[Served, Users]:
    """The users that the configuration names, and the model with what a new user wrote."""
    if cfg.users == ALL:
        return served, known_users(served)
    if cfg.user is not None:
        return served, known_users(served, cfg.user if isinstance(cfg.user, ListConfig) else [cfg.user])
    check_serves_new_users(served, cfg.text is not None)
    ids = pl.Series([str(item_id) for item_id in cfg.history or []], dtype=pl.String)
    history = item_rows(served.items, ids, "history")
    if cfg.text is not None:
        served = with_text(served, str(cfg.text))
        history = np.append(history, served.n_items)
        console.print("The items whose texts are nearest to what was written:", highlight=False)
        for title, cosine in nearest(served, served.n_items):
            console.print(f"  {cosine:.2f}  {title}", highlight=False, markup=False)
    return served, new_user(history)
