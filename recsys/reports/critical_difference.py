"""Comparison of cells over several data sets: average ranks, Friedman's test, Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from recsys.reports.bootstrap import LEVEL, Floats
from recsys.schema import ComparisonError

_PERMUTATIONS = 20_000  # largest number that is enumerated; otherwise as many are drawn


@dataclass(frozen=True)
class CriticalDifference:
    """Cells ranked over several data sets, by the method of Demšar (2006).

    Attributes:
        labels: Labels of the cells, best first.
        average_ranks: Average rank of each cell over the data sets; 1 is best, cells with equal means share a rank.
        critical_difference: Least difference of average ranks that is significant (Nemenyi 1963).
        groups: Labels of cells without significant differences among them; only groups of two or more cells that are
            not part of a larger group.
        p: p-value of Friedman's test that all cells are equal, by its χ² approximation, which needs more than ten data
            sets.
        statistic: Friedman's χ², corrected for ties.
        p_permutation: p-value of the same test by permuting each data set's ranks, valid for any number of data sets.
        n_datasets: Number of data sets.
        level: 1 minus the family-wise error rate.
        datasets: Names of the data sets.
        ranks: (n_datasets, n_cells) ranks, in the order of `datasets` and `labels`.
    """

    labels: list[str]
    average_ranks: list[float]
    critical_difference: float
    groups: list[tuple[str, ...]]
    p: float
    statistic: float
    p_permutation: float
    n_datasets: int
    level: float
    datasets: list[str]
    ranks: list[list[float]]


def critical_difference(
    means: Mapping[str, Mapping[str, float]], lower_is_better: bool = False, level: float = LEVEL
) -> CriticalDifference:
    """Rank cells on each data set and compare the average ranks.

    The data sets are the sample: each should be independent of the others, and not a split or part of another one.

    Args:
        means: Mean of the metric, by data set, then by the cell's label.
        lower_is_better: Whether the least mean has rank 1.
        level: 1 minus the family-wise error rate.

    Raises:
        ComparisonError: If there are fewer than two data sets or cells, or a cell has no mean on some data set.

    Example:
        >>> found = critical_difference({"a": {"x": 0.3, "y": 0.2}, "b": {"x": 0.5, "y": 0.1}})
        >>> found.labels, found.average_ranks, round(found.critical_difference, 3)
        (['x', 'y'], [1.0, 2.0], 1.386)
    """
    from scipy.stats import rankdata, studentized_range

    names, table = _table(means)
    n_datasets, n_cells = table.shape
    ranks = rankdata(table if lower_is_better else -table, axis=1)
    order = np.argsort(ranks.mean(axis=0), kind="stable")
    average = ranks.mean(axis=0)[order]
    quantile = studentized_range.ppf(level, n_cells, np.inf) / math.sqrt(2)
    critical = float(quantile * math.sqrt(n_cells * (n_cells + 1) / (6 * n_datasets)))
    labels = [names[place] for place in order]
    statistic, p = _friedman(ranks)
    return CriticalDifference(
        labels=labels,
        average_ranks=average.tolist(),
        critical_difference=critical,
        groups=[tuple(labels[first:last]) for first, last in _groups(average, critical)],
        p=p,
        statistic=statistic,
        p_permutation=_permutation_p(ranks),
        n_datasets=n_datasets,
        level=level,
        datasets=list(means),
        ranks=ranks[:, order].tolist(),
    )


def _table(means: Mapping[str, Mapping[str, float]]) -> tuple[list[str], Floats]:
    """The cells' labels, and their means (n_datasets, n_cells)."""
    names = list(dict.fromkeys(label for own in means.values() for label in own))
    if len(means) < 2 or len(names) < 2:
        raise ComparisonError(
            f"a critical difference needs at least two data sets and two cells; found {len(means)} and {len(names)}."
        )
    for dataset, own in means.items():
        lacking = [label for label in names if not math.isfinite(own.get(label, math.nan))]
        if lacking:
            raise ComparisonError(f"{dataset} has no mean of {', '.join(lacking)}; ranks need all cells.")
    return names, np.array([[own[label] for label in names] for own in means.values()])


def _friedman(ranks: Floats) -> tuple[float, float]:
    """χ² corrected for ties, and its p-value, which is 1 if all cells are tied on all data sets."""
    from scipy.special import chdtrc

    n, k = ranks.shape
    between = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()
    within = ((ranks - (k + 1) / 2) ** 2).sum() / (n * (k - 1))
    if within == 0:
        return 0.0, 1.0
    return float(between / within), float(chdtrc(k - 1, between / within))


def _permutation_p(ranks: Floats) -> float:
    """The share of permutations within data sets whose rank sums are at least as far apart.

    All permutations are enumerated if they are few. Otherwise m are drawn, and p is (b + 1) / (m + 1) for b such
    permutations. Rank sums are multiples of 1/2, so ties are exact.
    """
    n, k = ranks.shape
    is_exact = math.factorial(k) ** (n - 1) <= _PERMUTATIONS  # by symmetry, the first data set is not permuted
    sums = _all_rank_sums(ranks) if is_exact else _drawn_rank_sums(ranks)
    extreme = int(((sums**2).sum(axis=1) >= (ranks.sum(axis=0) ** 2).sum()).sum())
    return extreme / len(sums) if is_exact else (extreme + 1) / (len(sums) + 1)


def _all_rank_sums(ranks: Floats) -> Floats:
    sums = ranks[:1]
    for own in ranks[1:]:
        sums = (sums[:, None] + np.array(list(permutations(own)))).reshape(-1, ranks.shape[1])
    return sums


def _drawn_rank_sums(ranks: Floats) -> Floats:
    generator = np.random.default_rng(0)
    return sum(
        (generator.permuted(np.tile(own, (_PERMUTATIONS, 1)), axis=1) for own in ranks),
        np.zeros((_PERMUTATIONS, ranks.shape[1])),
    )


def _groups(average: Sequence[float] | Floats, critical: float) -> list[tuple[int, int]]:
    """Begins and ends of the longest runs of sorted ranks that span less than the critical difference."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(average):
        end = first + sum(rank <= other < rank + critical for other in average[first:])
        if end - first > 1 and (not found or end > found[-1][1]):
            found.append((first, end))
    return found
