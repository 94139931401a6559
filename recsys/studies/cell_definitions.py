"""From a study's yaml to its cells, the configurations that it compares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.config.overrides import override, text
from recsys.schema import ConfigError
from recsys.studies.windows import draws_of, windows_of
from recsys.tracking.study_record import BASE, BASELINE, CHANGE, GRID, LISTED

BASE_LABEL = "base"
OF_BASE = (GRID, BASE, CHANGE)  # kinds of cells that begin with the overrides of study.base


@dataclass(frozen=True)
class CellDefinition:
    """The overrides of a cell, and the part of the study that defines it.

    Attributes:
        kind: See `StudyCell.kind`.
        own: Its own overrides, beyond the shared ones.
        shared: Overrides of all cells; for the grid and the ablation those of the study's base too.
        label: Its label in the study; None if its components name it, as in "bert+dot".
        window: Name of its window of time or draw; None without `study.windows` and `study.draws`.
    """

    kind: str
    own: list[str]
    shared: list[str] = field(default_factory=list)
    label: str | None = None
    window: str | None = None

    @property
    def overrides(self) -> list[str]:
        """The overrides of each of its runs, without the seed."""
        return [*self.shared, *self.own]


def expand(study: DictConfig) -> list[CellDefinition]:
    """The cells of a study: baselines, the grid, the listed ones, and an ablation's base with its single changes.

    Raises:
        ConfigError: If there is nothing to run, or a part is malformed.

    Example:
        >>> study = OmegaConf.create({"common": ["a=1"], "grid": {"b": [2, 3]}, "baselines": [["c=4"]], "seeds": [0]})
        >>> [cell.overrides for cell in expand(study)]
        [['a=1', 'c=4'], ['a=1', 'b=2'], ['a=1', 'b=3']]
        >>> study = OmegaConf.create({"changes": {"no b": ["b=null"]}, "factors": {"d": [8]}, "seeds": [0]})
        >>> [(cell.label, cell.overrides) for cell in expand(study)]
        [('base', []), ('no b', ['b=null']), ('d=8', ['d=8'])]
    """
    plan = OmegaConf.to_container(study, resolve=True)
    assert isinstance(plan, dict)
    parts = _parts({str(key): value for key, value in plan.items()})
    common, base = (_overrides(f"study.{key}", plan.get(key) or []) for key in ("common", "base"))
    cells = [replace(cell, shared=[*common, *(base if cell.kind in OF_BASE else [])]) for cell in parts]
    cells = on_splits(cells, plan.get("windows"), plan.get("draws"))
    if base and cells and not any(cell.kind in OF_BASE for cell in cells):
        raise ConfigError(
            "study.base applies to study.grid, study.changes and study.factors only, and the study has none of these: "
            "give overrides of every cell as study.common."
        )
    seeds = plan.get("seeds") or []
    if not cells or not seeds:
        raise ConfigError(
            "study has nothing to run: choose a ready study, as in study=demo, or give study.grid, study.cells, "
            "study.changes, study.factors or study.baselines, "
            "and study.seeds such as [0,1,2]."
        )
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"study.seeds is {seeds}; expected each seed once.")
    return cells


def on_splits(cells: list[CellDefinition], windows: Any, draws: Any) -> list[CellDefinition]:
    """Each cell once for each window of time, or each draw of the split; the unchanged cells without these.

    Raises:
        ConfigError: If the windows or draws are invalid, both are given, or a cell sets a key that they set.
    """
    if windows is None and draws is None:
        return cells
    if windows is not None and draws is not None:
        raise ConfigError("study.windows and study.draws both decide the split: leave one of them out.")
    key = "study.windows" if draws is None else "study.draws"
    found = windows_of(windows) if draws is None else draws_of(draws)
    keys = {one.split("=")[0] for own in found.values() for one in own}
    for cell in cells:
        twice = [one for one in cell.overrides if one.split("=")[0].lstrip("+") in keys]
        if twice:
            raise ConfigError(f"{twice[0]} and {key} decide the same value: leave one of them out.")
    return [
        replace(cell, shared=[*cell.shared, *own], window=window) for window, own in found.items() for cell in cells
    ]


def _parts(plan: Mapping[str, Any]) -> Iterator[CellDefinition]:
    for overrides in plan.get("baselines") or []:
        yield CellDefinition(BASELINE, _overrides("study.baselines", overrides))
    for overrides in _grid(plan.get("grid") or {}):
        yield CellDefinition(GRID, overrides)
    for label, overrides in (plan.get("cells") or {}).items():
        yield CellDefinition(LISTED, _overrides(f"study.cells.{label}", overrides), label=str(label))
    changes, factors = plan.get("changes") or {}, plan.get("factors") or {}
    if changes or factors:
        yield CellDefinition(BASE, [], label=BASE_LABEL)
    for label, overrides in changes.items():
        yield CellDefinition(CHANGE, _overrides(f"study.changes.{label}", overrides), label=str(label))
    for key, values in factors.items():
        for value in _values(f"study.factors.{key}", values):
            yield CellDefinition(
                CHANGE, [override(key, value)], label=f"{key}={value if isinstance(value, str) else text(value)}"
            )


def _grid(grid: Mapping[str, Any]) -> list[list[str]]:
    if not grid:
        return []
    choices = [[override(key, value) for value in _values(f"study.grid.{key}", grid[key])] for key in grid]
    return [list(cell) for cell in product(*choices)]


def _values(key: str, values: Any) -> Sequence[Any]:
    if isinstance(values, dict) and {"low", "high", "points"} <= set(values) <= {"low", "high", "points", "log"}:
        return points_of(values, values["points"])
    if not isinstance(values, list) or not values:
        raise ConfigError(
            f"{key} is {values!r}; expected a list of values such as [1,2], or a range such as "
            "{low: 0.001, high: 0.1, log: true, points: 3}."
        )
    return values


def points_of(entry: Mapping[str, Any], points: int) -> list[Any]:
    """Evenly spaced values of a range with its ends, on a log scale with `log`; whole numbers if the ends are whole.

    With `step` they are moved to the nearest value that is a multiple of it above `low`.

    Example:
        >>> points_of({"low": 0.01, "high": 1.0, "log": True}, 3), points_of({"low": 1, "high": 4}, 3)
        ([0.01, 0.1, 1.0], [1, 2, 4])
        >>> points_of({"low": 0.0, "high": 1.0, "step": 0.25}, 4)
        [0.0, 0.25, 0.75, 1.0]
    """
    low, high, log, step = entry["low"], entry["high"], entry.get("log"), entry.get("step")
    is_whole = isinstance(low, int) and isinstance(high, int)
    ends = (math.log(low), math.log(high)) if log else (low, high)
    places = [ends[0] + (ends[1] - ends[0]) * i / max(1, points - 1) for i in range(points)]
    values = [min(max(math.exp(place) if log else place, low), high) for place in places]
    if step:
        last = math.floor((high - low) / step + 1e-9)
        values = [low + step * min(round((value - low) / step), last) for value in values]
    return sorted({round(value) if is_whole else float(f"{value:.12g}") for value in values})


def _overrides(key: str, overrides: Any) -> list[str]:
    if not isinstance(overrides, list) or not all(isinstance(one, str) and "=" in one for one in overrides):
        raise ConfigError(f"{key} is {overrides!r}; expected a list of overrides such as [encoder=bert,seed=1].")
    keys = [one.split("=")[0].lstrip("+") for one in overrides]
    twice = next((name for name in keys if keys.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{key} sets {twice} twice: leave one of them out.")
    return list(overrides)
