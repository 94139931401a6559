"""The loggers of a run: checked before any data is read, and built with the trainer."""

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

_WANDB = "recsys.tracking.wandb.make_logger"
_PACKAGES = {  # an optional dependency, and the packages of which a logger needs one, by the logger's _target_
    "pytorch_lightning.loggers.TensorBoardLogger": ("tensorboard", ("tensorboard", "tensorboardX")),
    "pytorch_lightning.loggers.MLFlowLogger": ("mlflow", ("mlflow",)),
    "recsys.tracking.mlflow.make_logger": ("mlflow", ("mlflow",)),
}


def check_loggers(cfg: DictConfig) -> None:
    """Check the keys and values of loggers, which would otherwise fail when the first value is logged.

    Raises:
        ConfigError: If a key is unknown, a value is impossible, or a package is missing.
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
    if node["_target_"] == _WANDB:
        check_connection(key, node.get("offline", AUTO), node.get("timeout", 1))
    check_arguments(key, node)
    if "flush_logs_every_n_steps" in node:
        check_whole(f"{key}.flush_logs_every_n_steps", node["flush_logs_every_n_steps"], 1)
    if "/" in (suffix := node.get("filename_suffix", "")):
        raise ConfigError(f"{key}.filename_suffix is {suffix!r}; expected the end of a file name.")
    extra, packages = _PACKAGES.get(node["_target_"], ("", ()))
    if packages and not any(map(find_spec, packages)):
        raise ConfigError(f'{key} needs the package {extra}: pip install "recsys-experiments[{extra}]".')
