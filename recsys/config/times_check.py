"""The check that a run on interactions without times has no part that needs them."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from recsys.config.traits import traits_of
from recsys.schema import ConfigError

TIMES = "times"  # of entries of a search space: `only: times`


def has_times(cfg: DictConfig) -> bool:
    """Whether the data's interactions have times; False for a table whose `interactions.timestamp` is null."""
    interactions = cfg.data.get("interactions")
    return interactions is None or interactions.get("timestamp", "") is not None


def check_times(cfg: DictConfig) -> None:
    """Raise an error for a split, a ranker or a ranker's key that needs times, if the configured data has none.

    Raises:
        ConfigError: With the key, and what to use instead.
    """
    if has_times(cfg):
        return
    name = cfg.data.get("name")
    data = f"data={cfg.choices.data}" if name in (None, cfg.choices.data) else name
    name_them = (
        f"name the column that has the time (data.interactions.timestamp of data={cfg.choices.data}; in Python "
        "timestamp of recsys.dataset)"
    )
    if traits_of(cfg.split).get("needs_times", False):
        raise ConfigError(
            f"split={cfg.choices.split} needs timestamps, and {data} has none: use split=random, "
            f"split=cold_items or split=cold_users, or {name_them}."
        )
    if traits_of(cfg.ranker).get("needs_times", False):
        raise ConfigError(
            f"ranker={cfg.choices.ranker} needs timestamps, and {data} has none: choose another ranker, or {name_them}."
        )
    for key, entry in (cfg.ranker.get("search") or {}).items():
        value = OmegaConf.select(cfg.ranker, str(key))
        if entry is not None and entry.get("only") == TIMES and value is not None:
            raise ConfigError(
                f"ranker.{key} is {value}, but {data} has no timestamps: leave {key} out, or {name_them}."
            )
