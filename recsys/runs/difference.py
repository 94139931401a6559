"""The differences between two runs: settings, protocol, versions and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from recsys.reports.formatting import number
from recsys.runs.choosing import one_run
from recsys.runs.facts import settings
from recsys.support.text_tables import TextTable
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten, influential

ABSENT = "(absent)"


def diff_runs(cfg: DictConfig, console: Console) -> int:
    """Print the settings that differ between two runs, and all of their metrics with the differences.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: If `run` or `other` names no run or several.
    """
    one, other = one_run(cfg, "run"), one_run(cfg, "other")
    heads = [f"{record.name} seed {record.seed}\n{record.run_id}" for record in (one, other)]
    moving, still = config_differences(one, other)
    _print_pairs("settings that differ", moving, heads, console)
    _print_pairs("settings that differ without effect on results", still, heads, console)
    _print_pairs("made with", differences(made_with(one), made_with(other)), heads, console)
    protocol = differences(dict(flatten(one.protocol)), dict(flatten(other.protocol)))
    _print_pairs("protocol", protocol, heads, console)
    console.print(metrics_table(one.metrics, other.metrics, heads))
    if protocol:
        console.print("The protocols differ: these metrics must not be compared.", style="yellow")
    return 0


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Both values of each key whose values differ.

    Example:
        >>> differences({"a": 1, "b": 2}, {"b": 3, "c": 4})
        {'a': (1, '(absent)'), 'b': (2, 3), 'c': ('(absent)', 4)}
    """
    pairs = {key: (one.get(key, ABSENT), other.get(key, ABSENT)) for key in [*one, *other]}
    return {key: (a, b) for key, (a, b) in pairs.items() if (type(a), a) != (type(b), b)}


def config_differences(one: Record, other: Record) -> tuple[dict[str, tuple[Any, Any]], dict[str, tuple[Any, Any]]]:
    """The config keys that differ: first those that results depend on, then the others."""
    known = influential(one.config).keys() | influential(other.config).keys()
    found = differences(settings(one), settings(other))
    found |= {key: pair for key, pair in differences(one.choices, other.choices).items() if key not in found}
    moving = {key: pair for key, pair in found.items() if key in known or key in {**one.choices, **other.choices}}
    return moving, {key: pair for key, pair in found.items() if key not in moving}


def made_with(record: Record) -> dict[str, Any]:
    """Versions, git state and machine of a run, by name."""
    return {**record.versions, **(record.git or {}), **record.machine}


def metrics_table(one: Mapping[str, float], other: Mapping[str, float], heads: list[str]) -> TextTable:
    """Two runs' metrics side by side, with their difference (second minus first)."""
    table = TextTable(["metric", *heads, "difference"])
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name), other.get(name)
        change = None if a is None or b is None else b - a
        table.add(name, number(a), number(b), number(change, signed=True))
    return table


def _print_pairs(title: str, pairs: Mapping[str, tuple[Any, Any]], heads: list[str], console: Console) -> None:
    if not pairs:
        return
    rows = ([key, *("null" if value is None else str(value) for value in values)] for key, values in pairs.items())
    console.print(TextTable([title, *heads], rows, words=heads))
