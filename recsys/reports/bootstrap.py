"""Bootstrap intervals of means over users."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys.schema import ComparisonError

Floats = NDArray[np.float64]

N_RESAMPLES = 10_000  # the ends then have a Monte Carlo error of about a hundredth of the interval's width
LEVEL = 0.95
_DRAWS = 4_000_000  # largest number of resampled users in memory at once
_ROUNDING = 1e-10  # relative to the largest deviation: means that differ less count as equal


def bootstrap_interval(
    values: ArrayLike, seed: int, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Ends of the BCa bootstrap interval of the mean over users (Efron 1987), for each column.

    Its level is expanded as proposed by Hesterberg (2015), since the bootstrap underestimates the standard error of the
    mean of n values by the factor √((n - 1) / n), and does not account for estimating it.

    Args:
        values: (n_users,) or (n_users, n_columns); users are resampled in the same way for all columns.
        seed: Seed of the resampling.
        n_resamples: Number of resamples.
        level: Nominal coverage.

    Raises:
        ComparisonError: If there are fewer than two users.

    Example:
        >>> low, high = bootstrap_interval([0.0, 1.0] * 50, seed=0)
        >>> bool(0.38 < low < 0.42), bool(0.58 < high < 0.62)
        (True, True)
    """
    table = as_table(values)
    low, high = bca_interval(table, resampled_means(table, seed, n_resamples), level)
    shape = np.shape(values)[1:]
    return low.reshape(shape), high.reshape(shape)


def as_table(values: ArrayLike) -> Floats:
    """Values as a table (n_users, n_columns).

    Raises:
        ComparisonError: If there are fewer than two users.
    """
    table = np.asarray(values, dtype=np.float64)
    if len(table) < 2:
        raise ComparisonError(f"the test has {len(table)} user; intervals and tests need at least two.")
    return table.reshape(len(table), -1)


def resampled_means(table: Floats, seed: int, n_resamples: int = N_RESAMPLES) -> Floats:
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


def bca_interval(table: Floats, resampled: Floats, level: float) -> tuple[Floats, Floats]:
    """Ends of the BCa interval of each column's mean, from values (n_users, n_columns) and their resampled means."""
    low, high = quantiles(resampled, _bca_levels(table, resampled, expanded_level(level, len(table))))
    constant = (table == table[0]).all(axis=0)  # any resample has the same mean, but for rounding
    return np.where(constant, table[0], low), np.where(constant, table[0], high)


def t_interval(table: Floats, level: float) -> tuple[Floats, Floats]:
    """Ends of Student's interval of each column's mean, from values (n_users, n_columns)."""
    from scipy.special import stdtrit

    n, mean = len(table), table.mean(axis=0)
    half = stdtrit(n - 1, (1 + level) / 2) * table.std(axis=0, ddof=1) / n**0.5
    return mean - half, mean + half


def expanded_level(level: float, n: int) -> float:
    """The level at which a bootstrap interval of the mean of n values is as wide as Student's at `level`.

    Example:
        >>> round(expanded_level(0.95, 10), 4), round(expanded_level(0.95, 1000), 4)
        (0.9829, 0.9504)
    """
    from scipy.special import ndtr, stdtrit

    return float(2 * ndtr(stdtrit(n - 1, (1 + level) / 2) * (n / (n - 1)) ** 0.5) - 1)


def quantiles(samples: Floats, levels: Floats) -> Floats:
    """Quantiles `levels` (2, n_columns) of each column of `samples`, interpolated linearly."""
    ordered = np.sort(samples, axis=0)
    place = levels * (len(samples) - 1)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, len(samples) - 1)
    below, above = np.take_along_axis(ordered, lower, axis=0), np.take_along_axis(ordered, upper, axis=0)
    return below + (place - lower) * (above - below)


def _bca_levels(table: Floats, resampled: Floats, level: float) -> Floats:
    """(2, n_columns) levels of the quantiles of the resampled means, corrected for bias and skewness.

    The jackknife of a mean has a closed form: without user i it changes by (mean - value_i) / (n - 1).
    """
    from scipy.special import ndtr, ndtri

    mean = table.mean(axis=0)
    deviations = table - mean
    squares = deviations * deviations
    rounding = _ROUNDING * np.abs(deviations).max(axis=0)
    plain = np.array([[(1 - level) / 2], [(1 + level) / 2]])
    below = ((resampled < mean - rounding).sum(axis=0) + (resampled <= mean + rounding).sum(axis=0)) / 2
    with np.errstate(invalid="ignore"):
        acceleration = (squares * deviations).sum(axis=0) / (6 * squares.sum(axis=0) ** 1.5)
        bias = ndtri(below / len(resampled))
        z = bias + ndtri(plain)
        stretch = 1 - acceleration * z
        levels = np.where(stretch > 0, ndtr(bias + z / stretch), z > 0)  # few users and large skewness: the whole range
    # Not finite: the bias if all resampled means are on one side of the mean, and levels that are expanded to 1.
    return np.where(np.isfinite(bias) & np.isfinite(levels), levels, plain)
