"""Components that are built once in a process for all configurations with the same settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hydra.utils import get_object
from omegaconf import DictConfig

from recsys.config.compose import build, complete, is_none, plain

if TYPE_CHECKING:
    from recsys.metrics.suite import MetricSuite


STATELESS = ("data", "split")  # groups of objects that keep no state between their uses


class Settings:
    """A config node as the key of a cache: equal for equal values and the same classes.

    Args:
        node: The config.
        values: The values that two equal keys must share.

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


def shared(group: str, node: DictConfig | None, drop: tuple[str, ...] = ()) -> Any:
    """The component of a config node, built once for equal settings if it has no state, else at each call.

    Data sources and splitters have none, and neither have partial components that hold no further components.

    Args:
        group: The node's key in the configuration, for messages.
        node: The node.
        drop: Keys that are no arguments of the constructor.

    Raises:
        ConfigError: If the component raises an error for its values.
    """
    if node is None or is_none(node):
        return None
    values = plain(node)
    has_parts = any(isinstance(value, dict) and "_target_" in value for value in values.values())
    if group in STATELESS or (values.get("_partial_") and not has_parts):
        return _shared(group, Settings(node, values), drop)
    return build(group, node, drop=drop)


@lru_cache(maxsize=64)
def _shared(group: str, settings: Settings, drop: tuple[str, ...]) -> Any:
    return build(group, settings.node, drop=drop)


def completed(group: str, node: DictConfig | None, *args: Any, drop: tuple[str, ...] = ()) -> Any:
    """A new component of a partial node, with its missing arguments `args`; None for `none`.

    Raises:
        ConfigError: If the component raises an error for its values.
    """
    made = shared(group, node, drop)
    return None if made is None else complete(group, made, *args)


def _classes(values: Any) -> Iterator[Any]:
    """The current classes of the targets: a notebook may define a class again under the same name."""
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
    except Exception:  # the error is reported when the component is built
        return None
