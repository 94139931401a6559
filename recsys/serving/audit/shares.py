"""Shares with their confidence intervals."""

from __future__ import annotations


def wilson(n_right: int, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of the share n_right / n, by Wilson's score method.

    Example:
        >>> [round(bound, 4) for bound in wilson(8, 10)]
        [0.4902, 0.9433]
    """
    from scipy.stats import binomtest

    interval = binomtest(n_right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def share(n_right: int, n: int) -> str:
    """The share n_right / n with its interval, as text."""
    low, high = wilson(n_right, n)
    return f"{n_right / n:.1%}, 95 % interval {low:.1%} to {high:.1%}"
