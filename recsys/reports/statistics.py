"""Inference over users: intervals, and paired differences between cells on the same users.

Inputs are values for each user, or for each user and seed. With several seeds, significance is for new users and new
seeds. Intervals and p-values over users alone, which hold for these seeds only, are kept too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys.reports.bootstrap import Floats, as_table, bca_interval, resampled_means, t_interval
from recsys.reports.corrections import CORRECTIONS
from recsys.reports.inference import RANDOMISATION, Inference
from recsys.reports.randomisation import SignedSums, signed_sums
from recsys.reports.seed_variance import (
    TWO_LEVEL_BOOTSTRAP,
    SeedVariances,
    TwoLevelError,
    seed_variances,
    two_level_error,
    two_level_interval,
)

ROUNDING = 1e-12  # absolute sums of a user's values up to this count as 0


@dataclass(frozen=True)
class PairedDifference:
    """The difference between two cells on the same users.

    Attributes:
        mean: Mean of the users' differences.
        low: Lower end of its interval over users.
        high: Upper end.
        p_users: Uncorrected p-value of the two-sided paired test over users alone: for new users and these seeds.
        effect_size: Cohen's d of paired values: the mean divided by the standard deviation of the users' differences.
        n_users: Number of users whose values differ between the cells.
        p_corrected: `p` corrected for all comparisons of its family; None before the correction.
        low_with_seeds: Lower end of the interval over users and seeds; None with one seed.
        high_with_seeds: Upper end.
        p_with_seeds: Uncorrected p-value of the two-sided test for new users and new seeds; None with one seed.
    """

    mean: float
    low: float
    high: float
    p_users: float
    effect_size: float
    n_users: int = field(default=0, kw_only=True)
    p_corrected: float | None = None
    low_with_seeds: float | None = None
    high_with_seeds: float | None = None
    p_with_seeds: float | None = None

    @property
    def p(self) -> float:
        """The uncorrected p-value that decides significance: for new users and, with several seeds, new seeds."""
        return self.p_users if self.p_with_seeds is None else self.p_with_seeds

    @property
    def reversed(self) -> PairedDifference:
        """The difference with the cells exchanged."""
        ends = (self.high_with_seeds, self.low_with_seeds)
        low_with_seeds, high_with_seeds = (None if end is None else -end for end in ends)
        return replace(
            self,
            mean=-self.mean,
            low=-self.high,
            high=-self.low,
            effect_size=-self.effect_size,
            low_with_seeds=low_with_seeds,
            high_with_seeds=high_with_seeds,
        )


@dataclass(frozen=True)
class Intervals:
    """Ends (n_columns,) of intervals over users, and over users and seeds; the latter are None with one seed."""

    low: Floats
    high: Floats
    low_with_seeds: Floats | None = None
    high_with_seeds: Floats | None = None


@dataclass(frozen=True)
class UserValues:
    """Values of users, and the sums that they are computed from.

    Attributes:
        values: (n_users, n_seeds, n_cells) values whose mean is a metric, and whose spread is that of users.
        sums: (n_users, n_seeds, n_cells) sums over each user's own queries, by which users with a value of 0 are
            counted: a linearised value is seldom 0, even if all queries of a user are.
    """

    values: Floats
    sums: Floats


@dataclass(frozen=True)
class Sample:
    """Values of cells on the same users and seeds, with their resampled means.

    Attributes:
        means: (n_users, n_cells) means over seeds.
        sums: (n_users, n_cells) means over seeds of the sums of users' own queries; see `UserValues`.
        resampled: (n_resamples, n_cells) means over resampled users.
        by_seed: (n_resamples, n_seeds, n_cells) the same for each seed; None unless seeds are resampled too.
        seeds: Variances between seeds of each cell; None with one seed.
        signed: (n_signs, n_cells) sums over users with random signs; None if no test needs them.
        seed: Seed of the resampling.
        inference: How differences are tested.
    """

    means: Floats
    sums: Floats
    resampled: Floats
    by_seed: Floats | None
    seeds: SeedVariances | None
    signed: SignedSums | None
    seed: int
    inference: Inference

    def intervals(self) -> Intervals:
        """The interval of each cell's mean: by the BCa bootstrap over users, and over users and seeds."""
        users = bca_interval(self.means, self.resampled, self.inference.level)
        cells = np.arange(self.means.shape[1])[None]
        return self._with_seeds(self.means, users, self._error(self.means, cells), self.by_seed)

    def differences(self, others: Sequence[int], reference: int) -> list[PairedDifference]:
        """The uncorrected differences of cells from one cell, given by their indices.

        Each end of an interval over users is the outer one of Student's t and the BCa bootstrap. The first is reliable
        for symmetric differences of few users, the second for skewed ones.
        """
        table = self.means[:, others] - self.means[:, [reference]]
        level = self.inference.level
        student = t_interval(table, level)
        bca = bca_interval(table, self.resampled[:, others] - self.resampled[:, [reference]], level)
        users = np.minimum(student[0], bca[0]), np.maximum(student[1], bca[1])
        error = self._error(table, np.stack([np.asarray(others), np.full(len(others), reference)]))
        by_seed = None if self.by_seed is None else self.by_seed[:, :, others] - self.by_seed[:, :, [reference]]
        ends = self._with_seeds(table, users, error, by_seed)
        effect_size = _effect_sizes(table)
        p = self._p(table, effect_size, others, reference)
        columns = [table.mean(axis=0), ends.low, ends.high, p, effect_size]
        found = [PairedDifference(*map(float, column)) for column in zip(*columns, strict=True)]
        n_users = _n_nonzero(self.sums[:, others] - self.sums[:, [reference]]).tolist()
        found = [replace(difference, n_users=n) for difference, n in zip(found, n_users, strict=True)]
        if error is None or ends.low_with_seeds is None or ends.high_with_seeds is None:
            return found
        p_with_seeds = np.where(error.varies, error.p(table.mean(axis=0)), p)
        return [
            replace(difference, low_with_seeds=float(low), high_with_seeds=float(high), p_with_seeds=float(own))
            for difference, low, high, own in zip(
                found, ends.low_with_seeds, ends.high_with_seeds, p_with_seeds, strict=True
            )
        ]

    def n_users(self) -> NDArray[np.int64]:
        """(n_cells,) number of users with a value other than 0."""
        return _n_nonzero(self.sums)

    def pairs(self) -> Iterator[tuple[int, int, PairedDifference]]:
        """Indices a < b of all pairs of cells with the uncorrected difference a minus b."""
        n_cells = self.means.shape[1]
        for second in range(1, n_cells):
            firsts = range(second)
            for first, difference in zip(firsts, self.differences(firsts, second), strict=True):
                yield first, second, difference

    def _error(self, table: Floats, cells: NDArray[np.int64]) -> TwoLevelError | None:
        """The error of the mean of each column of `table`, computed from one or two `cells` (n_parts, n_columns)."""
        if self.seeds is None:
            return None
        seeds, both = self.seeds.seeds[cells], self.seeds.both[cells]
        return two_level_error(_variance_of_mean(table), seeds, both, len(table), self.seeds.n_seeds)

    def _with_seeds(
        self, table: Floats, users: tuple[Floats, Floats], error: TwoLevelError | None, by_seed: Floats | None
    ) -> Intervals:
        level = self.inference.level
        if error is None:
            return Intervals(*users)
        if by_seed is not None:
            return Intervals(*users, *two_level_interval(by_seed, self.seed, level))
        spread = np.sqrt(_variance_of_mean(table))
        return Intervals(*users, *error.interval(table.mean(axis=0), users, spread, len(table), level))

    def _p(self, table: Floats, effect_size: Floats, others: Sequence[int], reference: int) -> Floats:
        if self.signed is None:
            return _t_test_p(table, effect_size)
        absolute = np.abs(self.means).sum(axis=0)
        sums = self.signed.sums[:, others] - self.signed.sums[:, [reference]]
        return replace(self.signed, sums=sums).p(table.sum(axis=0), absolute[others] + absolute[reference])


def sample(values: ArrayLike | UserValues, seed: int, inference: Inference | None = None) -> Sample:
    """Resample values as the inference needs it.

    Args:
        values: Values of users; an array (n_users, n_cells) or (n_users, n_seeds, n_cells) if each has one query.
        seed: Seed of the resampling.
        inference: How differences are tested.

    Raises:
        ComparisonError: If there are fewer than two users.
    """
    inference = inference or Inference()
    own = values if isinstance(values, UserValues) else None
    array = np.asarray(values if own is None else own.values, dtype=np.float64)
    table = as_table(array)
    array = array.reshape(len(array), -1, array.shape[-1])
    n_seeds, means = array.shape[1], array.mean(axis=1)
    by_seed = None
    if n_seeds > 1 and inference.seed_interval == TWO_LEVEL_BOOTSTRAP:
        by_seed = resampled_means(table, seed, inference.n_resamples).reshape(-1, *array.shape[1:])
    resampled = resampled_means(means, seed, inference.n_resamples) if by_seed is None else by_seed.mean(axis=1)
    signed = signed_sums(means, seed, inference.n_resamples) if inference.test == RANDOMISATION else None
    seeds = seed_variances(array) if n_seeds > 1 else None
    sums = means if own is None else own.sums.mean(axis=1)
    return Sample(means, sums, resampled, by_seed, seeds, signed, seed, inference)


def paired_differences(
    values: ArrayLike, baseline: ArrayLike, seed: int, inference: Inference | None = None
) -> list[PairedDifference]:
    """Uncorrected differences of cells from a baseline on the same users (and seeds).

    Args:
        values: Values of the cells (n_users, n_cells), or (n_users, n_seeds, n_cells).
        baseline: Values of the baseline (n_users,), or (n_users, n_seeds).
        seed: Seed of the resampling.
        inference: How differences are tested.

    Raises:
        ComparisonError: If there are fewer than two users.
    """
    table, reference = np.asarray(values, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    both = np.concatenate([table, reference[..., None]], axis=-1)
    n_cells = table.shape[-1]
    return sample(both, seed, inference).differences(range(n_cells), n_cells)


def paired_difference(
    values: ArrayLike, baseline: ArrayLike, seed: int, inference: Inference | None = None
) -> PairedDifference:
    """The difference between two cells, (n_users,) or (n_users, n_seeds) each; see `paired_differences`.

    Example:
        >>> paired_difference([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], seed=0).effect_size
        2.0
    """
    return paired_differences(np.asarray(values)[..., None], baseline, seed, inference)[0]


def corrected(differences: Sequence[PairedDifference], inference: Inference) -> list[PairedDifference]:
    """The differences of one family, with their corrected p-values."""
    p_values = CORRECTIONS[inference.correction]([difference.p for difference in differences])
    return [replace(difference, p_corrected=p) for difference, p in zip(differences, p_values, strict=True)]


def _n_nonzero(table: Floats) -> NDArray[np.int64]:
    """The number of users with a value other than 0, apart from rounding, in each column."""
    return (np.abs(table) > ROUNDING).sum(axis=0)


def _variance_of_mean(table: Floats) -> Floats:
    return table.var(axis=0, ddof=1) / len(table)


def _effect_sizes(table: Floats) -> Floats:
    """Cohen's d of each column; 0 if all differences are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        effect_size = table.mean(axis=0) / table.std(axis=0, ddof=1)
    return np.where(table.any(axis=0), effect_size, 0.0)


def _t_test_p(table: Floats, effect_size: Floats) -> Floats:
    """p of the two-sided paired t-test of each column; 1 if all differences are 0."""
    from scipy.special import stdtr

    n = len(table)
    return 2 * stdtr(n - 1, -np.abs(effect_size) * np.sqrt(n))  # the t-statistic is d√n
