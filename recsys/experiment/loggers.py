"""The loggers of a run: checked before any data is read, and made with its trainer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig

from recsys.config.compose import build, plain
from recsys.config.signatures import check_arguments
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole
from recsys.tracking.wandb import AUTO, check_connection

_TENSORBOARD = ("tensorboard", "tensorboardX")  # the packages that can write its files


def check_loggers(cfg: DictConfig) -> None:
    """Refuse unknown keys and impossible values of loggers, which would fail when the first value is logged.

    Raises:
        ConfigError: Naming the key.
    """
    for name, node in (plain(cfg.logger) if cfg.logger else {}).items():
        if node is not None:
            _check_logger(f"logger.{name}", node)


def build_loggers(cfg: DictConfig) -> list[Any]:
    """The loggers of the configuration, without those that are set to null."""
    made = [build(f"logger.{name}", node) for name, node in (cfg.logger or {}).items()]
    return [logger for logger in made if logger is not None]


def _check_logger(key: str, node: Any) -> None:
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        raise ConfigError(f"{key} is {node!r}; expected a logger with its _target_, or null.")
    kind = node["_target_"].rpartition(".")[2]
    if kind == "make_logger":
        check_connection(key, node.get("offline", AUTO), node.get("timeout", 1))
    check_arguments(key, node)
    if "flush_logs_every_n_steps" in node:
        check_whole(f"{key}.flush_logs_every_n_steps", node["flush_logs_every_n_steps"], 1)
    if kind == "TensorBoardLogger":
        _check_tensorboard(key, node)


def _check_tensorboard(key: str, node: Mapping[str, Any]) -> None:
    suffix = node.get("filename_suffix", "")
    if "/" in suffix:
        raise ConfigError(f"{key}.filename_suffix is {suffix!r}; expected the end of a file name.")
    if not any(map(find_spec, _TENSORBOARD)):
        raise ConfigError(f'{key} needs the package tensorboard: pip install "recsys-experiments[tensorboard]".')
