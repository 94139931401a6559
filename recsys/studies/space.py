"""The search space that the components of a configuration declare, and sampling from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from recsys.config.compatibility import has_text
from recsys.config.compose import is_none
from recsys.config.overrides import text
from recsys.config.times_check import TIMES, has_times
from recsys.schema import ConfigError
from recsys.studies.cell_definitions import points_of

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.samplers import BaseSampler

Space = dict[str, dict[str, Any]]


ONLY = "only"  # in an entry: where its key has an effect
APPLIES: dict[str, Callable[[DictConfig], bool]] = {
    "text": has_text,
    "no_text": lambda cfg: not has_text(cfg),
    TIMES: has_times,
}
_EXPECTED = (
    "{choice: [...]} or {low: …, high: …}, where needed with log: true, step: …, or only: text, no_text or times: the "
    "key has an effect only with a text encoder, only without one, or only if interactions have times"
)


def search_space(cfg: DictConfig, further: Mapping[str, Any] | None = None) -> Space:
    """The keys of a configuration that can be tuned, by the `search` of each chosen component.

    A name in a component's `search` is a key of the component; one that begins with `/` is a key of the whole
    configuration, where this has the key. A key that is a config group, such as `loss`, is a choice among the group's
    options. Where several components declare the same key, the last one in the order of `conf/train.yaml` counts.

    Args:
        cfg: Configuration of a run.
        further: A study's own entries. Each adds a key that a chosen component has, or replaces its range; null takes
            the key out. A configuration that declares nothing, such as that of random scores, has nothing to tune.

    Raises:
        ConfigError: If an entry is malformed; the message names its key.

    Example:
        >>> space = {"dim": {"low": 1, "high": 9}, "bias": {"choice": [True, False]}, "/seed": {"choice": [1, 2]}}
        >>> cfg = OmegaConf.create({"ranker": {"dim": 4, "bias": True, "search": space}, "seed": 1, "encoder": None})
        >>> search_space(cfg, {"ranker.bias": None})
        {'ranker.dim': {'low': 1, 'high': 9}, 'seed': {'choice': [1, 2]}}
    """
    container = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(container, dict)
    declared = dict(_declared(container))
    if not declared:
        return {}
    space = {**declared, **{key: entry for key, entry in plain_space(further).items() if _is_used(cfg, key)}}
    for key, entry in space.items():
        _check(key, entry)
    without_effect = {key for key, entry in declared.items() if entry is not None and not _applies(cfg, entry)}
    return {
        key: {name: value for name, value in entry.items() if name != ONLY}
        for key, entry in space.items()
        if entry is not None and key not in without_effect and has_key(cfg, key) and _applies(cfg, entry)
    }


def has_key(cfg: DictConfig, key: str) -> bool:
    """Whether a configuration has a dotted key, even if its value is null."""
    node, _, last = key.rpartition(".")
    parent = OmegaConf.select(cfg, node) if node else cfg
    return isinstance(parent, DictConfig) and last in parent


def _is_used(cfg: DictConfig, key: str) -> bool:
    """Whether a configuration has a key, and not in a group of which no component is chosen, as in `features=none`."""
    group = cfg.get(key.partition(".")[0])
    is_off = isinstance(group, DictConfig) and "_target_" in group and is_none(group)
    return has_key(cfg, key) and not is_off


def plain_space(node: Mapping[str, Any] | None) -> dict[str, Any]:
    """The entries of `study.space` by key."""
    container = OmegaConf.to_container(node) if isinstance(node, DictConfig) else node
    return {str(key): entry for key, entry in container.items()} if isinstance(container, Mapping) else {}


def _declared(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if key == "search" and isinstance(value, Mapping):
            for name, entry in value.items():
                yield str(name)[1:] if str(name).startswith("/") else f"{prefix}{name}", entry
        elif isinstance(value, Mapping):
            yield from _declared(value, f"{prefix}{key}.")


def _applies(cfg: DictConfig, entry: Mapping[str, Any]) -> bool:
    return ONLY not in entry or APPLIES[entry[ONLY]](cfg)


def _check(key: str, entry: Any) -> None:
    if entry is None:
        return
    if not isinstance(entry, Mapping) or entry.get(ONLY, "text") not in APPLIES:
        raise ConfigError(f"the search space of {key} is {entry!r}; expected {_EXPECTED}.")
    own = {name: value for name, value in entry.items() if name != ONLY}
    if set(own) == {"choice"} and isinstance(own["choice"], list) and own["choice"]:
        return
    numbers = [own.get("low"), own.get("high")]
    is_range = set(own) <= {"low", "high", "log", "step"} and all(isinstance(n, int | float) for n in numbers)
    if not is_range or not own["low"] < own["high"] or (own.get("log") and own["low"] <= 0):
        raise ConfigError(f"the search space of {key} is {dict(entry)}; expected {_EXPECTED}, low below high.")


def suggest(trial: Trial, space: Mapping[str, Mapping[str, Any]], sampler_of: Callable[[str], BaseSampler]) -> None:
    """Let Optuna choose a value of each key; values that the trial has already are kept.

    Args:
        trial: The trial; it has some values if its worker was interrupted while choosing.
        space: Search space of the cell.
        sampler_of: Makes a sampler for a key, with its own seed. So a value does not depend on how many others were
            chosen before an interruption.
    """
    _ = trial.relative_params  # Optuna samples keys jointly before the first suggestion
    for key, entry in sorted(space.items()):
        trial.study.sampler = sampler_of(key)
        if "choice" in entry:
            # Optuna's choices must be scalars; values are written as in an override, so that lists can be chosen too.
            trial.suggest_categorical(key, [text(value) for value in entry["choice"]])
            continue
        low, high, log, step = entry["low"], entry["high"], bool(entry.get("log")), entry.get("step")
        if isinstance(low, int) and isinstance(high, int):
            trial.suggest_int(key, low, high, log=log, step=step or 1)
        else:
            trial.suggest_float(key, low, high, log=log, step=step)


def grid_of(space: Mapping[str, Mapping[str, Any]], points: int) -> dict[str, list[Any]]:
    """The values of a grid search: all choices, and `points` values of each range; see `points_of`.

    Example:
        >>> grid_of({"lr": {"low": 0.01, "high": 1.0, "log": True}, "k": {"low": 1, "high": 3}}, 3)
        {'k': [1, 2, 3], 'lr': [0.01, 0.1, 1.0]}
    """
    return {key: _grid_values(entry, points) for key, entry in sorted(space.items())}


def _grid_values(entry: Mapping[str, Any], points: int) -> list[Any]:
    return [text(value) for value in entry["choice"]] if "choice" in entry else points_of(entry, points)
