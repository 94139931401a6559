"""Shares with their confidence intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(n_right: float, n: float) -> tuple[float, float]:
    """The 95 % confidence interval of the share n_right / n, by Wilson's score method.

    Example:
        >>> [round(bound, 4) for bound in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    share, extra = n_right / n, Z**2 / n
    half = Z * (share * (1 - share) / n + extra / (4 * n)) ** 0.5
    low, high = ((share + extra / 2 + sign * half) / (1 + extra) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def wilson_of_groups(hits: NDArray[np.bool_]) -> tuple[float, float]:
    """The 95 % confidence interval of the share of hits (g, k), of which those of a group are not independent.

    It is Wilson's for n / d hits, where the design effect d is the variance of the share between groups divided by that
    of independent hits, at least 1 (Korn and Graubard, "Confidence Intervals for Proportions with Small Expected Number
    of Positive Counts Estimated from Survey Data", 1998).

    Example:
        >>> pairs = np.repeat(np.arange(10) < 8, 2).reshape(10, 2)  # both of a pair are right, or none
        >>> [round(bound, 2) for bound in wilson_of_groups(pairs)]
        [0.47, 0.95]
    """
    share, n = float(hits.mean()), hits.size
    independent = share * (1 - share) / n
    between = float(hits.mean(axis=1).var(ddof=1)) / len(hits) if len(hits) > 1 else 0.0
    effect = max(1.0, between / independent) if independent > 0 else 1.0
    return wilson(share * n / effect, n / effect)


def share(n_right: int, n: int) -> str:
    """The share n_right / n with its interval, as text."""
    return share_text(n_right, n, *wilson(n_right, n))


def share_text(n_right: int, n: int, low: float, high: float) -> str:
    """The share n_right / n and an interval, as text."""
    return f"{n_right / n:.1%}, 95 % interval {low:.1%} to {high:.1%}"
