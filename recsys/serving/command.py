"""The command `recommend`: what a run's model recommends to whom."""

from __future__ import annotations

from omegaconf import DictConfig, ListConfig
from rich.console import Console

import recsys
from recsys.schema import ConfigError
from recsys.serving.filters import allowed_items
from recsys.serving.output import check_output, recommendations, show, write
from recsys.serving.ranking import rank
from recsys.serving.served import Served, serve
from recsys.serving.users import Users, known_users

ALL = "all"


def recommend_command(cfg: DictConfig, console: Console | None = None) -> None:
    """Print or write the best items for the users that the configuration names.

    Raises:
        ConfigError: If no user is named, or a value is unknown or impossible.
        DataError: If a file is malformed.
    """
    console = console or Console()
    check_request(cfg)
    served = serve(recsys.load(cfg.run, cfg.paths.runs_dir))
    users = chosen_users(cfg, served)
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
    named = [key for key in ("user", "users") if cfg[key] is not None]
    if len(named) != 1:
        found = " and ".join(f"{key}={cfg[key]}" for key in named) or "none"
        raise ConfigError(f"users are named once, by user=<id>, user=[ids] or users=all; found {found}.")
    if cfg.users not in (None, ALL):
        raise ConfigError(f"users is {cfg.users!r}; expected all, or user=[ids].")


def chosen_users(cfg: DictConfig, served: Served) -> Users:
    """The users that the configuration names."""
    if cfg.users == ALL:
        return known_users(served.run.split)
    return known_users(served.run.split, cfg.user if isinstance(cfg.user, ListConfig) else [cfg.user])
