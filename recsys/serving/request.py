"""The request of the command `recommend`, checked before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from recsys.schema import ConfigError
from recsys.serving.explaining import AUTOMATIC, METHODS
from recsys.serving.output import check_output
from recsys.serving.table_files import TextFormat

ALL_USERS = "all"


def check_request(cfg: DictConfig) -> None:
    """Refuse what cannot be answered.

    Raises:
        ConfigError: Naming the key.
    """
    for key in ("users", "items", "candidates", "where", "output"):
        if cfg[key] is not None and not (isinstance(cfg[key], str) and cfg[key]):
            raise ConfigError(f"{key} is {cfg[key]!r}; expected a text, or null.")
    check_output(cfg.output)
    TextFormat.of(cfg.data)
    if not is_count(cfg.top_k):
        raise ConfigError(f"top_k is {cfg.top_k!r}; expected a whole number of at least 1.")
    if cfg.n_reasons is not None and not is_count(cfg.n_reasons):
        raise ConfigError(f"n_reasons is {cfg.n_reasons!r}; expected a whole number of at least 1, or null.")
    if cfg.explain_method not in (AUTOMATIC, *METHODS):
        raise ConfigError(f"explain_method is {cfg.explain_method!r}; expected {', '.join((AUTOMATIC, *METHODS))}.")
    if isinstance(cfg.mmr, bool) or not isinstance(cfg.mmr, int | float) or not 0 <= cfg.mmr <= 1:
        raise ConfigError(f"mmr is {cfg.mmr!r}; expected a number from 0 (by score only) to 1 (by diversity only).")
    if not is_count(cfg.mmr_pool):
        raise ConfigError(f"mmr_pool is {cfg.mmr_pool!r}; expected a whole number of at least 1.")
    if not cfg.catalogue and cfg["items"] is None:
        raise ConfigError("catalogue=false recommends new items alone: name their file by items=new.jsonl.")
    _check_users(cfg)


def is_count(value: object) -> bool:
    """Whether a value is a whole number of at least 1.

    Example:
        >>> [is_count(value) for value in (3, 0, True, None)]
        [True, False, False, False]
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


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
