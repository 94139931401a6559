"""Checks of the keys of the command `recommend`, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from recsys.schema import ConfigError
from recsys.serving.explaining import AUTOMATIC, METHODS
from recsys.serving.output import check_output
from recsys.serving.table_files import TextFormat
from recsys.support.number_checks import check_number, check_whole

ALL_USERS = "all"


def check_request(cfg: DictConfig) -> None:
    """Raise an error for invalid or contradictory keys.

    Raises:
        ConfigError: If there is such a key; the message names it.
    """
    for key in ("users", "items", "candidates", "where", "output"):
        if cfg[key] is not None and not (isinstance(cfg[key], str) and cfg[key]):
            raise ConfigError(f"{key} is {cfg[key]!r}; expected a text, or null.")
    check_output(cfg.output)
    TextFormat.of(cfg.data)
    check_whole("top_k", cfg.top_k, 1)
    check_whole("n_reasons", cfg.n_reasons, 1, optional=True)
    if cfg.explain_method not in (AUTOMATIC, *METHODS):
        raise ConfigError(f"explain_method is {cfg.explain_method!r}; expected {', '.join((AUTOMATIC, *METHODS))}.")
    check_number("mmr", cfg.mmr, at_least=0, at_most=1, reason=" (0: by score only, 1: by diversity only)")
    check_whole("mmr_pool", cfg.mmr_pool, 1)
    if not cfg.catalogue and cfg["items"] is None:
        raise ConfigError("catalogue=false recommends new items alone: name their file by items=new.jsonl.")
    _check_users(cfg)


def _check_users(cfg: DictConfig) -> None:
    if cfg.users not in (None, ALL_USERS) and not Path(str(cfg.users)).suffix:
        raise ConfigError(f"users is {cfg.users!r}; expected all, a file such as users.csv, or user=[ids].")
    is_new = cfg.history is not None or cfg.text is not None
    if (cfg.user is not None) + (cfg.users is not None) + is_new != 1:
        keys = ("user", "users", "history", "text")
        found = " and ".join(f"{key}={cfg[key]}" for key in keys if cfg[key] is not None) or "none"
        raise ConfigError(
            "users are named once: user=<id>, user=[ids], users=all or users=<file>, or a new one by "
            f"history=[item ids], text=… or both; found {found}."
        )
