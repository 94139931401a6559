"""The known keys of a command, and the kinds of their values."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue

from recsys.config.compose import compose, newest_change, plain
from recsys.config.errors import errors_named
from recsys.config.folders import conf_dirs
from recsys.config.overrides import override
from recsys.config.value_checks import check_keys, check_like
from recsys.schema import ConfigError


def check_kinds(cfg: DictConfig, config_name: str = "train") -> None:
    """Raise an error for unknown top-level keys, and for values of another kind than their defaults.

    Values are checked at the top level and in `paths` and `batches`.

    Raises:
        ConfigError: With the key, the value and the expected values.
    """
    known, values, nodes = _defaults(config_name, tuple(conf_dirs()), newest_change(conf_dirs()))
    check_keys("", cfg, [*known, "hydra"])
    if "paths" in known:
        check_keys("paths", cfg.paths, keys_of("paths", cfg.choices.get("paths"), config_name))
    check_like("", _resolved(cfg), values)
    for node, own in nodes.items():
        check_like(node, plain(cfg[node]), own)


@lru_cache(maxsize=32)
def _defaults(
    config_name: str,
    conf: tuple[Path, ...],  # noqa: ARG001 (other folders or a changed file are another entry)
    changed_at: int,  # noqa: ARG001
) -> tuple[list[str], dict[str, Any], dict[str, dict[str, Any]]]:
    """A command's keys, the defaults of those that are not groups, and the defaults of `paths` and `batches`."""
    known = compose((), config_name)
    groups = (*known.choices, "choices", "overrides", "trust")
    values = {key: value for key, value in _resolved(known).items() if key not in groups}
    nodes = {node: plain(known[node]) for node in ("paths", "batches") if node in known}
    return list(map(str, known)), values, nodes


def keys_of(group: str, option: str | None, config_name: str = "train") -> list[str]:
    """The keys of a group with this option; its yaml may be in any folder of configs.

    If there is no such file, as for a record of another machine, they are those of the default option.

    Example:
        >>> keys_of("paths", "default")
        ['runs_dir', 'cache_dir', 'run_dir']
    """
    try:
        composed = compose([override(group, option)], config_name)
    except ConfigError:
        composed = compose((), config_name)
    return list(map(str, composed[group]))


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    """Top-level values as they are read, without those that depend on a key that is still missing."""
    values = {}
    for key in map(str, cfg):
        with errors_named(), suppress(MissingMandatoryValue, InterpolationToMissingValueError):
            value = cfg[key]
            values[key] = OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value
    return values
