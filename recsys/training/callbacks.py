"""Callbacks that monitor a metric: their `mode` follows the metric's direction."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from hydra.utils import get_object

from recsys.schema import LOSS, ConfigError


def with_mode(key: str, settings: Mapping[str, Any], directions: Mapping[str, bool]) -> dict[str, Any]:
    """The settings of a callback, with `mode: max` or `mode: min` if it monitors a metric and has the argument `mode`.

    Args:
        key: The callback's key in the configuration, for messages.
        settings: The callback's yaml, resolved.
        directions: Whether higher is better, by the metric's name without stage.

    Raises:
        ConfigError: If the yaml sets the opposite mode, or the metric is unknown and no mode is set.
    """
    monitor = settings.get("monitor")
    if monitor is None or not _takes_mode(settings):
        return dict(settings)
    name, mode = str(monitor).partition("/")[2], settings.get("mode")
    higher = False if monitor == LOSS else directions.get(name)
    if higher is None:
        if mode is None:
            raise ConfigError(
                f"{key}.monitor is {monitor!r}, whose direction is unknown: set {key}.mode to max or min."
            )
        return dict(settings)
    expected = "max" if higher else "min"
    if mode not in (None, expected):
        better = "higher" if higher else "lower"
        raise ConfigError(
            f"{key}.mode is {mode!r}, but {better} {monitor} is better; leave the key out, or set it to {expected!r}."
        )
    return {**settings, "mode": expected}


def _takes_mode(settings: Mapping[str, Any]) -> bool:
    return "mode" in signature(get_object(str(settings["_target_"]))).parameters
