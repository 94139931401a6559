"""Inference over users: bootstrap intervals, paired differences, and correction for many comparisons.

Everything here takes one value for each user. Where a cell has several seeds, its values are averaged over seeds first:
the inference is about other users of the same kind, for the average over seeds; how much seeds differ is shown apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys.schema import ComparisonError

Floats = NDArray[np.float64]

N_RESAMPLES = 2000
LEVEL = 0.95
_DRAWS = 4_000_000  # bound on the resampled users in memory at once


@dataclass(frozen=True)
class PairedDifference:
    """How one cell differs from another on the same users.

    Attributes:
        mean: Of the users' differences.
        low: Lower end of its bootstrap interval.
        high: Upper end.
        p: Of the two-sided paired t-test, without correction.
        effect_size: Cohen's d of paired values: the mean over the standard deviation of the users' differences.
        p_holm: `p` corrected for all comparisons of its family; None where nobody has.
    """

    mean: float
    low: float
    high: float
    p: float
    effect_size: float
    p_holm: float | None = None


def bootstrap_interval(
    values: ArrayLike, seed: int, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Ends of the BCa bootstrap interval of the mean over users (Efron 1987), for each column.

    Args:
        values: (n_users,) or (n_users, n_columns); all columns see the same resampled users.
        seed: Of the resampling.
        n_resamples: How often users are drawn with replacement.
        level: Nominal coverage.

    Raises:
        ComparisonError: If there are fewer than two users.

    Example:
        >>> low, high = bootstrap_interval([0.0, 1.0] * 50, seed=0)
        >>> bool(0.38 < low < 0.42), bool(0.58 < high < 0.62)
        (True, True)
    """
    table = _table(values)
    resampled = _resampled_means(table, seed, n_resamples)
    ends = _quantiles(resampled, _bca_levels(table, resampled, level))
    shape = np.shape(values)[1:]
    return ends[0].reshape(shape), ends[1].reshape(shape)


def paired_differences(
    values: ArrayLike, baseline: ArrayLike, seed: int, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> list[PairedDifference]:
    """Differences between each column of `values` (n_users, n_columns) and `baseline` (n_users,) on the same users.

    Raises:
        ComparisonError: If there are fewer than two users.
    """
    from scipy.special import stdtr

    table, reference = _table(values), _table(baseline)
    differences = table - reference
    low, high = bootstrap_interval(differences, seed, n_resamples, level)
    mean, spread = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect_size = mean / spread
    n = len(table)
    p = 2 * stdtr(n - 1, -np.abs(effect_size) * np.sqrt(n))  # the t-statistic is d√n
    same = ~differences.any(axis=0)  # equal on every user: no evidence of a difference, where t is 0/0
    columns = zip(mean, low, high, np.where(same, 1.0, p), np.where(same, 0.0, effect_size), strict=True)
    return [PairedDifference(*map(float, column)) for column in columns]


def paired_difference(
    values: ArrayLike, baseline: ArrayLike, seed: int, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> PairedDifference:
    """The difference between two cells, (n_users,) each; see `paired_differences`.

    Example:
        >>> paired_difference([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], seed=0).effect_size
        2.0
    """
    return paired_differences(np.asarray(values)[:, None], baseline, seed, n_resamples, level)[0]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for all of them together, by Holm's step-down method (1979).

    Example:
        >>> holm([0.03, 0.01, 0.2])
        [0.06, 0.03, 0.2]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def _table(values: ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if len(table) < 2:
        raise ComparisonError(f"the test has {len(table)} user: no interval or test without at least two.")
    return table.reshape(len(table), -1)


def _resampled_means(table: Floats, seed: int, n_resamples: int) -> Floats:
    """(n_resamples, n_columns) means over users drawn with replacement; the same draws for all columns."""
    generator = np.random.default_rng(seed)
    n = len(table)
    chunk = max(1, _DRAWS // n)
    parts = []
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        drawn = generator.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        parts.append(counts.astype(np.float64) @ table / n)
    return np.concatenate(parts)


def _bca_levels(table: Floats, resampled: Floats, level: float) -> Floats:
    """(2, n_columns) quantiles of the resampled means: corrected for their bias and for skewed values.

    The jackknife of a mean has a closed form: leaving user i out moves it by (mean - value_i) / (n - 1).
    """
    from scipy.special import ndtr, ndtri

    mean = table.mean(axis=0)
    deviations = table - mean
    spread = (deviations**2).sum(axis=0) ** 1.5
    with np.errstate(divide="ignore", invalid="ignore"):
        acceleration = (deviations**3).sum(axis=0) / (6 * spread)
        below = ((resampled < mean).sum(axis=0) + (resampled <= mean).sum(axis=0)) / (2 * len(resampled))
        bias = ndtri(below)
        z = bias + ndtri([[(1 - level) / 2], [(1 + level) / 2]])
        levels = ndtr(bias + z / (1 - acceleration * z))
    plain = np.array([[(1 - level) / 2], [(1 + level) / 2]])
    return np.where(np.isfinite(levels), levels, plain)  # equal values of all users: any quantile is the mean


def _quantiles(samples: Floats, levels: Floats) -> Floats:
    """Quantiles `levels` (2, n_columns) of each column of `samples`, interpolated linearly."""
    ordered = np.sort(samples, axis=0)
    place = levels * (len(samples) - 1)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, len(samples) - 1)
    below, above = np.take_along_axis(ordered, lower, axis=0), np.take_along_axis(ordered, upper, axis=0)
    return below + (place - lower) * (above - below)
