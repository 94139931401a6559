"""Intervals that contain the variance of seeds as well as that of users.

A cell's values are a table of users by seeds. Its mean varies because other users would be others, because other seeds
would train other models, and because a seed suits some users better than others. Seeds are few, three to five, so that
their variance is known badly, and an interval has to be wider for that.
"""

from __future__ import annotations

import numpy as np

from recsys.reports.bootstrap import Floats, quantiles

WEIGHTED_T = "weighted_t"
TWO_LEVEL_BOOTSTRAP = "two_level_bootstrap"
SEED_INTERVALS = (WEIGHTED_T, TWO_LEVEL_BOOTSTRAP)

Ends = tuple[Floats, Floats]


def weighted_t_interval(values: Floats, users: Ends, level: float) -> Ends:
    """Ends of an interval of the mean over seeds and users, both drawn at random and crossed, for each column.

    The mean squares of a two-way analysis of variance give the variance of the mean: MS_seeds / (n_seeds n_users) for
    seeds, and what is left of (MS_users - MS_both) / (n_seeds n_users) for users alone. Each comes with its own
    quantile: for seeds that of t with n_seeds - 1 degrees of freedom, for users the one by which the interval over
    users reaches to each side. The interval uses the mean of both quantiles, weighted by variance (Cochran and Cox
    1957), which does not understate with few seeds, as Satterthwaite's degrees of freedom and the bootstrap do. It is
    never narrower than the interval over users.

    Args:
        values: (n_users, n_seeds, n_columns), at least two of both.
        users: Ends of the interval over users of the mean over these seeds, (n_columns,) each.
        level: Nominal coverage.
    """
    from scipy.special import stdtrit

    mean = values.mean(axis=(0, 1))
    of_seeds, of_users, of_both = _variances(values)
    alone = np.maximum(of_users - of_both, 0)
    quantile = stdtrit(values.shape[1] - 1, (1 + level) / 2)
    lower, upper = (
        _ratio(quantile * of_seeds + _ratio(distance, np.sqrt(of_users)) * alone, np.sqrt(of_seeds + alone))
        for distance in (mean - users[0], users[1] - mean)
    )
    return np.minimum(mean - lower, users[0]), np.maximum(mean + upper, users[1])


def two_level_interval(resampled: Floats, seed: int, level: float) -> Ends:
    """Ends of the percentile interval of a bootstrap over seeds and users, both drawn with replacement and crossed.

    With S seeds it finds (S - 1) / S of their variance, and knows nothing of how badly that is known: with three to
    five seeds it is too narrow.

    Args:
        resampled: (n_resamples, n_seeds, n_columns) means over resampled users for each seed.
        seed: Of drawing seeds.
        level: Nominal coverage.
    """
    n_resamples, n_seeds, n_columns = resampled.shape
    generator = np.random.default_rng([seed, 1])  # apart from the draws of users
    counts = generator.multinomial(n_seeds, [1 / n_seeds] * n_seeds, size=n_resamples)
    means = np.einsum("bs,bsc->bc", counts / n_seeds, resampled)
    levels = np.tile([[(1 - level) / 2], [(1 + level) / 2]], (1, n_columns))
    low, high = quantiles(means, levels)
    return low, high


def _variances(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean squares of seeds, users and both over n_seeds × n_users: variances of the mean, for each column."""
    n_users, n_seeds, _ = values.shape
    deviations = values - values.mean(axis=(0, 1))
    by_seed, by_user = deviations.mean(axis=0), deviations.mean(axis=1)
    seeds, users = (by_seed**2).sum(axis=0), (by_user**2).sum(axis=0)
    both = np.maximum((deviations**2).sum(axis=(0, 1)) - n_users * seeds - n_seeds * users, 0)
    return (
        seeds / (n_seeds - 1) / n_seeds,
        users / (n_users - 1) / n_users,
        both / ((n_seeds - 1) * (n_users - 1)) / (n_seeds * n_users),
    )


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """0 where both are: what does not vary takes no room."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
