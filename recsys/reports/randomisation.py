"""The paired randomisation test: the distribution of the mean difference under random signs of users' differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from recsys.reports.bootstrap import N_RESAMPLES, Floats, as_table

_SIGNS = 4_000_000  # largest number of signs in memory at once
_ROUNDING = 1e-12  # relative: sums that differ less count as equal


@dataclass(frozen=True)
class SignedSums:
    """Sums over users whose values have random signs.

    Attributes:
        sums: (n_signs, n_columns) sums; all columns have the same signs.
        is_exact: Whether all combinations of signs were enumerated, and not a sample of them.
    """

    sums: Floats
    is_exact: bool

    def p(self, observed: Floats, scale: Floats) -> Floats:
        """The p-value of each column, from the observed sum and the sum of the absolute values in it."""
        extreme = (np.abs(self.sums) >= np.abs(observed) - _ROUNDING * scale).sum(axis=0)
        n = len(self.sums)
        return extreme / n if self.is_exact else (extreme + 1) / (n + 1)


def randomisation_p(differences: ArrayLike, seed: int, n_resamples: int = N_RESAMPLES) -> Floats:
    """p of the two-sided paired randomisation test (Fisher 1935) for each column of users' differences.

    If two cells are equal, each user's difference is as likely with the other sign. All 2^n combinations of signs are
    enumerated if they are at most `n_resamples`: p is the share with a mean at least as far from zero. Otherwise
    m = `n_resamples` are drawn, and p is (b + 1) / (m + 1) for b such combinations. So p is never 0 and the test keeps
    its level (Phipson and Smyth 2010).

    Args:
        differences: (n_users,) or (n_users, n_columns); all columns have the same signs.
        seed: Seed of the signs.
        n_resamples: Number of drawn combinations m.

    Raises:
        ComparisonError: If there are fewer than two users.

    Example:
        >>> float(randomisation_p([1.0, 2.0, 3.0], seed=0))  # only +++ and --- are as far out: 2 of 8
        0.25
    """
    table = as_table(differences)
    p = signed_sums(table, seed, n_resamples).p(table.sum(axis=0), np.abs(table).sum(axis=0))
    return p.reshape(np.shape(differences)[1:])


def signed_sums(table: Floats, seed: int, n_resamples: int = N_RESAMPLES) -> SignedSums:
    """Sums of each column (n_users, n_columns) under all combinations of signs, or `n_resamples` random ones if fewer.

    The sums of a difference of two columns are the differences of the columns' sums.
    """
    n = len(table)
    is_exact = n < 60 and 2**n <= n_resamples
    n_signs = 2**n if is_exact else n_resamples
    generator = np.random.default_rng(seed)
    chunk = max(1, _SIGNS // n)
    parts = []
    for start in range(0, n_signs, chunk):
        size = min(chunk, n_signs - start)
        signs = _all_signs(start, size, n) if is_exact else _drawn_signs(generator, size, n)
        parts.append(signs @ table)
    return SignedSums(np.concatenate(parts), is_exact)


def _all_signs(start: int, size: int, n: int) -> Floats:
    """(size, n) rows of the 2^n combinations of signs, beginning with row `start`."""
    bits = (np.arange(start, start + size)[:, None] >> np.arange(n)) & 1
    return 1.0 - 2.0 * bits.astype(np.float64)


def _drawn_signs(generator: np.random.Generator, size: int, n: int) -> Floats:
    return np.where(generator.random((size, n)) < 0.5, -1.0, 1.0)
