"""The number of cells, trials and seeds that fit into a time; every cell gets the same trials and seeds.

Costs are the seconds of each cell's first trial, which has the cell's own settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

READY = 0.9  # share of the time for trials and runs; the rest is for reading data, loading libraries and the report
LATER_TRIAL = 1.5  # cost of a later trial relative to the first one: a search tries wider models too
RUN = 2.5  # cost of a tested run relative to the first trial: it is fitted twice (refit) and tested


@dataclass(frozen=True)
class Level:
    """Number of trials of each cell, the first with the cell's own settings, and number of seeds of its tested runs."""

    trials: int
    seeds: int


LEVELS = (Level(1, 1), Level(1, 3), Level(5, 3), Level(10, 3), Level(20, 3), Level(20, 5), Level(40, 5))
TUNED = 2  # index of the first of LEVELS with a search; groups of cells are dropped rather than go below it


@dataclass(frozen=True)
class Budget:
    """The groups of cells, trials and seeds that fit into a time.

    Attributes:
        n_groups: Number of groups of cells that are kept, the first ones.
        level: Trials and seeds of each cell.
        seconds: Estimated time, from the measured costs.
        fits: False if even the smallest choice takes longer than the time.
    """

    n_groups: int
    level: Level
    seconds: float
    fits: bool = True


def seconds_left(level: Level, costs: Sequence[float], n_workers: int = 1, done: int = 0) -> float:
    """Estimated time of a level's trials and runs, in seconds.

    Args:
        level: Trials and seeds of each cell.
        costs: Seconds of each cell's first trial.
        n_workers: Number of parallel jobs.
        done: Number of trials of each cell that are done.

    Example:
        >>> seconds_left(Level(5, 3), [2.0, 4.0])  # 6 s × (1 + 4 × 1.5 + 3 × 2.5)
        87.0
        >>> seconds_left(Level(5, 3), [2.0, 4.0], n_workers=2, done=1)  # 6 s × (4 × 1.5 + 3 × 2.5) / 2
        40.5
    """
    first, later = (1.0, level.trials - 1) if done == 0 else (0.0, max(0, level.trials - done))
    return sum(costs) * (first + later * LATER_TRIAL + level.seeds * RUN) / max(1, n_workers)


def choose_budget(costs: Sequence[Sequence[float]], seconds: float, n_workers: int = 1, done: int = 0) -> Budget:
    """Choose the groups of cells and the level for a time.

    All groups are kept if the smallest search fits for all of them; otherwise the last group is dropped, and so on.
    The first group is always kept, untuned if necessary.

    Args:
        costs: By group, seconds of the first trial of each of its cells.
        seconds: Time that is left.
        n_workers: Number of parallel jobs.
        done: Number of trials of each cell that are done.
    """
    for n_groups in range(len(costs), 0, -1):
        own = [cost for group in costs[:n_groups] for cost in group]
        fitting = [level for level in LEVELS if _fits(level, own, seconds, n_workers, done)]
        if fitting and (n_groups == 1 or fitting[-1] in LEVELS[TUNED:]):
            level = fitting[-1]
            return Budget(n_groups, level, seconds_left(level, own, n_workers, done))
    least = next(level for level in LEVELS if level.trials >= done or level is LEVELS[-1])
    return Budget(1, least, seconds_left(least, costs[0], n_workers, done), fits=False)


def _fits(level: Level, costs: Sequence[float], seconds: float, n_workers: int, done: int) -> bool:
    """Whether a level fits and has at least the trials that are done."""
    return level.trials >= done and seconds_left(level, costs, n_workers, done) <= seconds


def measures_next(costs: Sequence[Sequence[float]], estimate: float, seconds: float, n_workers: int = 1) -> bool:
    """Whether to measure the cells of the next group: whether the smallest search would still fit with them.

    Args:
        costs: By measured group, seconds of the first trial of each of its cells.
        estimate: Estimated seconds of the first trials of the next group.
        seconds: Time that is left.
        n_workers: Number of parallel jobs.
    """
    known = [cost for group in costs for cost in group]
    least = LEVELS[TUNED]
    return seconds_left(least, known, n_workers, done=1) + seconds_left(least, [estimate], n_workers) <= seconds
