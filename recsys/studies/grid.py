"""From a study's yaml to the overrides of each of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys.schema import ConfigError


def expand(study: DictConfig) -> list[list[str]]:
    """The overrides of each run: baselines first, then the grid, each with every seed.

    Raises:
        ConfigError: If there is nothing to run, or a grid's key has no list of values.

    Example:
        >>> study = OmegaConf.create({"base": ["a=1"], "grid": {"b": [2, 3]}, "baselines": [["c=4"]], "seeds": [0]})
        >>> expand(study)
        [['a=1', 'c=4', 'seed=0'], ['a=1', 'b=2', 'seed=0'], ['a=1', 'b=3', 'seed=0']]
    """
    plan = OmegaConf.to_container(study, resolve=True)
    assert isinstance(plan, dict)
    cells = [*map(list, plan.get("baselines") or []), *_grid_cells(plan.get("grid") or {})]
    seeds = plan.get("seeds") or []
    if not cells or not seeds:
        raise ConfigError(
            "study has nothing to run: give study.grid or study.baselines, and study.seeds such as [0,1,2]."
        )
    base = list(plan.get("base") or [])
    return [[*base, *cell, f"seed={seed}"] for cell in cells for seed in seeds]


def _grid_cells(grid: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(f"study.grid.{key} is {values!r}; expected a list of values such as [1,2].")
    if not grid:
        return []
    return [
        [f"{key}={_text(value)}" for key, value in zip(grid, values, strict=True)] for values in product(*grid.values())
    ]


def _text(value: Any) -> str:
    """A value as Hydra's command line writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return str(value)
