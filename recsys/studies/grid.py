"""Grid search: every combination of values once, in a random order that a larger budget continues."""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import prod
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from recsys.studies.cell_space import CellSpace
from recsys.studies.space import grid_of


class SearchGrid:
    """The combinations of a cell's search space: for each combination of group options, all values of its keys.

    Args:
        space: Search space of the cell.
        points: Number of values of each range.
        seed: Seed of the random order.
    """

    def __init__(self, space: CellSpace, points: int, seed: int = 0) -> None:
        self.parts = [(options, grid_of(space.given(options), points)) for options in space.options()]
        self.sizes = [prod(map(len, values.values())) for _, values in self.parts]
        self.seed = seed

    def __len__(self) -> int:
        return sum(self.sizes)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """The combination of trial `number`.

        Raises:
            IndexError: If all combinations have been tried.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        place, part = self._place(number), 0
        while place >= self.sizes[part]:
            place, part = place - self.sizes[part], part + 1
        options, values = self.parts[part]
        chosen: dict[str, Any] = dict(options)
        for key, own in values.items():
            place, at = divmod(place, len(own))
            chosen[key] = own[at]
        return chosen

    def _place(self, number: int) -> int:
        """Element `number` of a random permutation (Fisher and Yates), without a list of all combinations."""
        generator, moved = random.Random(self.seed), dict[int, int]()
        drawn = 0
        for step in range(number + 1):
            other = generator.randrange(step, len(self))
            drawn, moved[other] = moved.get(other, other), moved.get(step, step)
        return drawn


class GridSampler(BaseSampler):
    """Gives a trial the values of one combination.

    Args:
        values: The combination's values, by key.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """An empty space: each key is sampled independently."""
        del study, trial
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """No values: see `infer_relative_search_space`."""
        del study, trial, search_space
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The combination's value of a key."""
        del study, trial, param_distribution
        return self.values[param_name]
