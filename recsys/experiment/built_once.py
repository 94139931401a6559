"""What is built once in a process for all configurations that agree on its settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hydra.utils import get_object
from omegaconf import DictConfig

from recsys.config.compose import build, plain

if TYPE_CHECKING:
    from recsys.metrics.suite import MetricSuite


class Settings:
    """A config node as the key of a cache: equal for equal values and the same classes.

    Args:
        node: The config.
        values: Those of its values that make a difference.

    Attributes:
        node: The config.
    """

    def __init__(self, node: DictConfig, values: Any) -> None:
        self.node = node
        self._key = (json.dumps(values, sort_keys=True, default=repr), tuple(_classes(values)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def metric_suite(cfg: DictConfig) -> MetricSuite:
    """The metrics of a run's configuration.

    Raises:
        ConfigError: If a value is unknown or impossible.
    """
    return _metric_suite(Settings(cfg.metrics, plain(cfg.metrics)))


@lru_cache(maxsize=8)
def _metric_suite(settings: Settings) -> MetricSuite:
    suite: MetricSuite = build("metrics", settings.node)
    return suite


def _classes(values: Any) -> Iterator[Any]:
    """What the targets name at present: a notebook defines a class again under the same name."""
    if isinstance(values, list | tuple):
        for value in values:
            yield from _classes(value)
    elif isinstance(values, dict):
        if isinstance(values.get("_target_"), str):
            yield _named(values["_target_"])
        yield from _classes(list(values.values()))


def _named(target: str) -> Any:
    try:
        return get_object(target)
    except Exception:  # making the component reports the fault of its target
        return None
