"""The paired randomisation test: the distribution of the mean difference under random labels of the cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from recsys.reports.bootstrap import N_RESAMPLES, Floats, as_table

_SIGNS = 4_000_000  # bound on the signs in memory at once
_ROUNDING = 1e-12  # relative: sums of the same numbers in another order are the same


@dataclass(frozen=True)
class SignedSums:
    """Sums over users, each of whose values has been given a sign by chance.

    Attributes:
        sums: (n_signs, n_columns); all columns saw the same signs.
        is_exact: Whether these are all ways of giving signs, and not some that were drawn.
    """

    sums: Floats
    is_exact: bool

    def p(self, observed: Floats, scale: Floats) -> Floats:
        """p for each column, from the sum that was observed and the sum of absolute values that went into it."""
        extreme = (np.abs(self.sums) >= np.abs(observed) - _ROUNDING * scale).sum(axis=0)
        n = len(self.sums)
        return extreme / n if self.is_exact else (extreme + 1) / (n + 1)


def randomisation_p(differences: ArrayLike, seed: int, n_resamples: int = N_RESAMPLES) -> Floats:
    """p of the two-sided paired randomisation test (Fisher 1935) for each column of users' differences.

    If two cells are the same, each user's difference might as well have the other sign. All 2^n ways of giving signs
    are counted where there are no more than `n_resamples` of them: p is the share with a mean at least as far from
    zero. Else that many are drawn, and p is (b + 1) / (m + 1) for b of m, so that it is never 0 and the test never
    rejects too often (Phipson and Smyth 2010).

    Args:
        differences: (n_users,) or (n_users, n_columns); all columns see the same signs.
        seed: Of the signs.
        n_resamples: m.

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
    """Sums of each column (n_users, n_columns) under signs: all of them, or `n_resamples` drawn ones if that is less.

    Sums of differences of columns are the differences of the columns' sums.
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
    """(size, n) of the 2^n rows of signs, from a row on."""
    bits = (np.arange(start, start + size)[:, None] >> np.arange(n)) & 1
    return 1.0 - 2.0 * bits.astype(np.float64)


def _drawn_signs(generator: np.random.Generator, size: int, n: int) -> Floats:
    return np.where(generator.random((size, n)) < 0.5, -1.0, 1.0)
