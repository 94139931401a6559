"""The search space of a cell, as its components declare it, and drawing from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from recsys.schema import ConfigError
from recsys.studies.cells import points_of, text

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.samplers import BaseSampler

Space = dict[str, dict[str, Any]]


def search_space(cfg: DictConfig, further: Mapping[str, Any] | None = None) -> Space:
    """What may be tuned of a run, by config key: the `search` of each chosen component and of the run itself.

    `further` adds to that, or replaces what a component declares, where the configuration has the key; null takes a
    key out. A run of which nothing is declared, such as popularity, has nothing to tune.

    Raises:
        ConfigError: If an entry is malformed; the message names it.

    Example:
        >>> space = {"dim": {"low": 1, "high": 9}, "bias": {"choice": [True, False]}}
        >>> cfg = OmegaConf.create({"ranker": {"dim": 4, "bias": True, "search": space}})
        >>> search_space(cfg, {"ranker.bias": None})
        {'ranker.dim': {'low': 1, 'high': 9}}
    """
    container = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(container, dict)
    space = dict(_declared(container))
    if space:
        space.update({key: entry for key, entry in _plain(further).items() if has_key(cfg, key)})
    kept = {key: entry for key, entry in space.items() if entry is not None}
    for key, entry in kept.items():
        _check(key, entry)
    return kept


def has_key(cfg: DictConfig, key: str) -> bool:
    """Whether a configuration has a dotted key, be its value null."""
    node, _, last = key.rpartition(".")
    parent = OmegaConf.select(cfg, node) if node else cfg
    return isinstance(parent, DictConfig) and last in parent


def _plain(node: Mapping[str, Any] | None) -> dict[str, Any]:
    container = OmegaConf.to_container(node) if isinstance(node, DictConfig) else node
    return {str(key): entry for key, entry in container.items()} if isinstance(container, Mapping) else {}


def _declared(node: Mapping[Any, Any], prefix: str = "") -> Any:
    for key, value in node.items():
        if key == "search" and isinstance(value, Mapping):
            yield from ((f"{prefix}{name}", entry) for name, entry in value.items())
        elif isinstance(value, Mapping):
            yield from _declared(value, f"{prefix}{key}.")


def _check(key: str, entry: Any) -> None:
    expected = "{choice: [...]} or {low: …, high: …} with log: true or step: … if need be"
    if not isinstance(entry, Mapping):
        raise ConfigError(f"the search space of {key} is {entry!r}; expected {expected}.")
    if set(entry) == {"choice"} and isinstance(entry["choice"], list) and entry["choice"]:
        return
    numbers = [entry.get("low"), entry.get("high")]
    is_range = set(entry) <= {"low", "high", "log", "step"} and all(isinstance(n, int | float) for n in numbers)
    if not is_range or not entry["low"] < entry["high"] or (entry.get("log") and entry["low"] <= 0):
        raise ConfigError(f"the search space of {key} is {dict(entry)}; expected {expected}, low below high.")


def suggest(trial: Trial, space: Space, sampler_of: Callable[[str], BaseSampler]) -> None:
    """Let Optuna choose a value of each key; a value that the trial has already stays.

    Args:
        trial: May have some of its values: its worker was killed while it chose them.
        space: Of the cell.
        sampler_of: A sampler for each key, with randomness of its own, so that a value does not depend on which others
            had been chosen before the kill.
    """
    _ = trial.relative_params  # what is chosen together is chosen before the first
    for key, entry in sorted(space.items()):
        trial.study.sampler = sampler_of(key)
        if "choice" in entry:
            # As the command line writes them, so that lists can be chosen.
            trial.suggest_categorical(key, [text(value) for value in entry["choice"]])
            continue
        low, high, log, step = entry["low"], entry["high"], bool(entry.get("log")), entry.get("step")
        if isinstance(low, int) and isinstance(high, int):
            trial.suggest_int(key, low, high, log=log, step=step or 1)
        else:
            trial.suggest_float(key, low, high, log=log, step=step)


def grid_of(space: Space, points: int) -> dict[str, list[Any]]:
    """The values of an exhaustive search: all choices, and `points` values of each range, evenly spaced (or by ratio).

    Example:
        >>> grid_of({"lr": {"low": 0.01, "high": 1.0, "log": True}, "k": {"low": 1, "high": 3}}, 3)
        {'k': [1, 2, 3], 'lr': [0.01, 0.1, 1.0]}
    """
    return {key: _grid_values(entry, points) for key, entry in sorted(space.items())}


def _grid_values(entry: Mapping[str, Any], points: int) -> list[Any]:
    return [text(value) for value in entry["choice"]] if "choice" in entry else points_of(entry, points)
