"""Exhaustive search over spaces in which some keys go with some options only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from recsys.studies.grid import SearchGrid


class Space:
    """A loss of which one option draws negatives."""

    def options(self) -> Iterator[dict[str, str]]:
        return iter([{"loss": "sampled"}, {"loss": "full"}])

    def given(self, chosen: dict[str, Any]) -> dict[str, dict[str, Any]]:
        own = {"n": {"choice": [1, 2]}} if chosen["loss"] == "sampled" else {}
        return {**own, "dim": {"low": 1, "high": 3}}


def test_each_combination_is_there_once():
    grid = SearchGrid(Space(), points=3, seed=0)  # type: ignore[arg-type]
    found = [tuple(sorted((key, str(value)) for key, value in grid[number].items())) for number in range(len(grid))]
    assert len(grid) == 2 * 3 + 3
    assert len(set(found)) == len(grid)
    with pytest.raises(IndexError):
        grid[len(grid)]


def test_the_order_is_random_and_repeats_itself():
    first, again, other = (SearchGrid(Space(), points=3, seed=seed) for seed in (0, 0, 1))  # type: ignore[arg-type]
    orders = [[grid[number] for number in range(len(grid))] for grid in (first, again, other)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
