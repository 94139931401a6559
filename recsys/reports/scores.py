"""The scores of each cell, and of each pair of cells, by one metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from recsys.reports.inference import Inference
from recsys.reports.statistics import PairedDifference, Sample, UserValues, corrected, sample
from recsys.tracking.record import Record

Limits = tuple[float | None, float | None]  # the least and the greatest possible value; None for no limit


@dataclass(frozen=True)
class Score:
    """A metric of a cell.

    Attributes:
        mean: Mean over seeds (and users).
        low: Lower end of the interval over users; None for a metric without values per user, such as coverage.
        high: Upper end.
        seed_sd: Standard deviation over seeds; None for one seed.
        difference: Difference from the baseline, whose p-value is corrected for the differences of all cells; None for
            the baseline itself, without a baseline, or without values per user.
        low_with_seeds: Lower end of the interval over users and seeds; None for one seed, or without values per user.
        high_with_seeds: Upper end.
        n_users: Number of users with a value other than 0; None without values per user.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    seed_sd: float | None = None
    difference: PairedDifference | None = None
    low_with_seeds: float | None = None
    high_with_seeds: float | None = None
    n_users: int | None = None

    def within(self, limits: Limits) -> Score:
        """The score with the ends of its intervals limited to the metric's possible values.

        Student's t with few seeds can give an interval beyond them.
        """
        return replace(
            self,
            low=limited(self.low, limits),
            high=limited(self.high, limits),
            low_with_seeds=limited(self.low_with_seeds, limits),
            high_with_seeds=limited(self.high_with_seeds, limits),
        )


def limits_of(record: Record, metric: str) -> Limits:
    """The least and the greatest possible value of a metric; None for no limit, or if the run does not record it."""
    low, high = record.ranges.get(metric.rsplit("/", 1)[-1], (None, None))
    return low, high


def limited(value: float | None, limits: Limits) -> float | None:
    """A value, limited to a range; None for no limit.

    Example:
        >>> limited(-0.01, (0.0, 1.0)), limited(0.2, (0.0, 1.0)), limited(1.01, (0.0, None)), limited(None, (0.0, 1.0))
        (0.0, 0.2, 1.01, None)
    """
    low, high = limits
    if value is None:
        return None
    value = value if low is None else max(low, value)
    return value if high is None else min(high, value)


@dataclass(frozen=True)
class Pair:
    """The difference `a` minus `b` of two cells, given by their labels; p is corrected for all pairs."""

    a: str
    b: str
    difference: PairedDifference

    @property
    def reversed(self) -> Pair:
        """The difference `b` minus `a`."""
        return Pair(self.b, self.a, self.difference.reversed)


def ends_of(found: Score | PairedDifference) -> tuple[float | None, float | None]:
    """The ends of the interval over users and seeds, or over users alone with one seed."""
    return (found.low, found.high) if found.low_with_seeds is None else (found.low_with_seeds, found.high_with_seeds)


def plain_scores(by_seed: Sequence[Sequence[float]]) -> list[Score]:
    """The mean and standard deviation of each cell, from the metric of each of its seeds; without intervals."""
    return [Score(fmean(own), seed_sd=stdev(own) if len(own) > 1 else None) for own in by_seed]


def scores_over_users(
    plain: Sequence[Score], values: UserValues, reference: int | None, seed: int, inference: Inference
) -> tuple[list[Score], list[tuple[int, int, PairedDifference]]]:
    """Scores with intervals and differences, and the differences of all pairs, by the indices of their cells.

    Args:
        plain: Scores without intervals.
        values: Values per user of the metric.
        reference: Index of the baseline; None for no differences in scores.
        seed: Seed of the resampling.
        inference: How differences are tested.
    """
    resampled = sample(values, seed, inference)
    pairs = list(resampled.pairs())
    scores = _with_intervals(plain, resampled)
    if reference is not None:
        to_reference = {
            **{first: difference for first, second, difference in pairs if second == reference},
            **{second: difference.reversed for first, second, difference in pairs if first == reference},
        }
        for place, difference in zip(to_reference, corrected(list(to_reference.values()), inference), strict=True):
            scores[place] = replace(scores[place], difference=difference)
    family = corrected([difference for _, _, difference in pairs], inference)
    return scores, [(*places[:2], difference) for places, difference in zip(pairs, family, strict=True)]


def scores_of_segment(
    values: UserValues, reference: int | None, seed: int, inference: Inference
) -> tuple[list[Score], dict[int, PairedDifference]]:
    """Scores of cells in one segment, and their uncorrected differences from the baseline by the cells' indices.

    Args:
        values: Values of at least two users in the segment.
        reference: Index of the baseline; None for no differences.
        seed: Seed of the resampling.
        inference: How differences are tested.
    """
    resampled = sample(values, seed, inference)
    scores = _with_intervals(plain_scores(values.values.mean(axis=0).T.tolist()), resampled)
    others = [place for place in range(len(scores)) if place != reference]
    if reference is None or not others:
        return scores, {}
    return scores, dict(zip(others, resampled.differences(others, reference), strict=True))


def _with_intervals(plain: Sequence[Score], resampled: Sample) -> list[Score]:
    ends = resampled.intervals()
    means, n_users = resampled.means.mean(axis=0), resampled.n_users()
    scores = [
        replace(score, mean=float(mean), low=float(low), high=float(high), n_users=int(n))
        for score, mean, low, high, n in zip(plain, means, ends.low, ends.high, n_users, strict=True)
    ]
    if ends.low_with_seeds is None or ends.high_with_seeds is None:
        return scores
    return [
        replace(score, low_with_seeds=float(low), high_with_seeds=float(high))
        for score, low, high in zip(scores, ends.low_with_seeds, ends.high_with_seeds, strict=True)
    ]
