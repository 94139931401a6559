"""Inference that includes the variance between seeds as well as that between users.

A cell's values are a table of users by seeds. Its mean varies with the sample of users, with the seeds of training, and
with the interaction of users and seeds. Seeds are few, three to five, so their variance is estimated with few degrees
of freedom, for which a test or an interval has to allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.reports.bootstrap import Floats, quantiles

TWO_LEVEL_T = "two_level_t"
TWO_LEVEL_BOOTSTRAP = "two_level_bootstrap"
SEED_INTERVALS = (TWO_LEVEL_T, TWO_LEVEL_BOOTSTRAP)

Ends = tuple[Floats, Floats]

_LEAST = 0.05  # least variance of seeds relative to the interaction's; seeds whose means are closer agree by chance


@dataclass(frozen=True)
class SeedVariances:
    """Mean squares divided by n_users × n_seeds, for each cell: contributions to the variance of its mean.

    Attributes:
        seeds: (n_cells,) contribution of the seeds' means; its expectation contains the interaction once.
        both: (n_cells,) contribution of the interaction of users and seeds.
        n_seeds: Number of seeds of each cell.
    """

    seeds: Floats
    both: Floats
    n_seeds: int


@dataclass(frozen=True)
class TwoLevelError:
    """The standard error of means or differences for new users and new seeds; arrays are (n_columns,).

    Attributes:
        variance: Variance of the mean.
        of_users: Part of it due to users alone.
        df: Degrees of freedom of Student's t.
        varies: Whether seeds contribute at all.
    """

    variance: Floats
    of_users: Floats
    df: Floats
    varies: Floats

    def p(self, mean: Floats) -> Floats:
        """p of the two-sided t-test that the mean is 0; 1 for a mean of exactly 0."""
        from scipy.special import stdtr

        return np.where(mean == 0, 1.0, 2 * stdtr(self.df, -_ratio(np.abs(mean), np.sqrt(self.variance), np.inf)))

    def interval(self, mean: Floats, users: Ends, users_error: Floats, n_users: int, level: float) -> Ends:
        """Ends of the interval over users and seeds.

        Its half-widths are t times the standard error. The part of the users is as skewed as the interval over users.

        Args:
            mean: (n_columns,) means.
            users: Ends of the interval over users, (n_columns,) each.
            users_error: (n_columns,) standard error over users.
            n_users: Number of users.
            level: Nominal coverage.
        """
        from scipy.special import stdtrit

        half = stdtrit(self.df, (1 + level) / 2) * np.sqrt(self.variance)
        symmetric = stdtrit(n_users - 1, (1 + level) / 2) * users_error
        share = _ratio(self.of_users, self.variance, 1.0)
        below, above = (_ratio(distance, symmetric, 1.0) for distance in (mean - users[0], users[1] - mean))
        low, high = mean - half * (1 + share * (below - 1)), mean + half * (1 + share * (above - 1))
        return np.where(self.varies, low, users[0]), np.where(self.varies, high, users[1])


def seed_variances(values: Floats) -> SeedVariances:
    """A two-way analysis of variance of each cell's values (n_users, n_seeds, n_cells), two or more users and seeds.

    Both variances are exactly 0 for a cell whose seeds all give the same values. Otherwise the mean square of seeds is
    at least a twentieth of the interaction's, so that a difference is not significant only by a chance agreement of
    seeds.
    """
    n_users, n_seeds, _ = values.shape
    deviations = values - values.mean(axis=(0, 1))
    by_seed, by_user = deviations.mean(axis=0), deviations.mean(axis=1)
    seeds, users = (by_seed**2).sum(axis=0), (by_user**2).sum(axis=0)
    both = np.maximum(np.einsum("usc,usc->c", deviations, deviations) - n_users * seeds - n_seeds * users, 0)
    of_both = both / ((n_seeds - 1) * (n_users - 1)) / (n_seeds * n_users)
    of_seeds = np.maximum(seeds / (n_seeds - 1) / n_seeds, _LEAST * of_both)
    varies = (values != values[:, :1]).any(axis=(0, 1))
    return SeedVariances(np.where(varies, of_seeds, 0.0), np.where(varies, of_both, 0.0), n_seeds)


def two_level_error(users_variance: Floats, seeds: Floats, both: Floats, n_users: int, n_seeds: int) -> TwoLevelError:
    """The standard error of a mean over users and seeds, which are both random and crossed.

    With U, S and B the mean squares of users, seeds and their interaction (over n_users × n_seeds), the variance of the
    mean is estimated by U - B + S, summed over cells for S and B. Seeds of two cells are independent samples: runs with
    the same seed are not paired.

    The degrees of freedom are between those of Cochran and Cox (1957), which are too few, and Satterthwaite's (1946),
    which are too many where seeds dominate. S alone has Welch's (1947) degrees of freedom for two cells,
    f = (d + 2) / h - 2 with d = n_seeds - 1 for each cell and h the sum of the squared shares of the cells in S, at
    most d for each cell. All of the variance V then has f (V / S)^(1 + √((1 - h) / 2)), at most n_users - 1. The
    exponent was chosen by simulation; docs/explanation/comparing.md has the rates of false positives.

    Args:
        users_variance: (n_columns,) U: the variance over users of the means over seeds, divided by n_users.
        seeds: (n_parts, n_columns) S of the one or two cells of each column.
        both: (n_parts, n_columns) B of the one or two cells of each column.
        n_users: Number of users.
        n_seeds: Number of seeds of each cell.
    """
    d, of_seeds = n_seeds - 1, seeds.sum(axis=0)
    of_users = np.maximum(users_variance - both.sum(axis=0), 0)
    variance = of_users + of_seeds
    h = (_ratio(seeds, of_seeds, 0.0) ** 2).sum(axis=0)
    own = np.minimum(len(seeds) * d, _ratio(np.full_like(h, d + 2), h, np.inf) - 2)
    with np.errstate(over="ignore"):  # cells almost without a variance of seeds
        df = own * _ratio(variance, of_seeds, np.inf) ** (1 + np.sqrt(np.maximum(1 - h, 0) / 2))
    return TwoLevelError(variance, of_users, np.minimum(df, n_users - 1), of_seeds > 0)


def two_level_interval(resampled: Floats, seed: int, level: float) -> Ends:
    """Ends of the percentile interval of a bootstrap over seeds and users, both drawn with replacement and crossed.

    With S seeds it estimates (S - 1) / S of their variance and does not account for the uncertainty of this estimate.
    So it is too narrow with three to five seeds.

    Args:
        resampled: (n_resamples, n_seeds, n_columns) means over resampled users for each seed.
        seed: Seed of drawing the runs' seeds.
        level: Nominal coverage.
    """
    n_resamples, n_seeds, n_columns = resampled.shape
    generator = np.random.default_rng([seed, 1])  # independent of the resampling of users
    counts = generator.multinomial(n_seeds, [1 / n_seeds] * n_seeds, size=n_resamples)
    means = np.einsum("bs,bsc->bc", counts / n_seeds, resampled)
    levels = np.tile([[(1 - level) / 2], [(1 + level) / 2]], (1, n_columns))
    low, high = quantiles(means, levels)
    return low, high


def _ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """The ratio; `otherwise` where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, otherwise), where=denominator > 0)
