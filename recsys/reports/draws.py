"""Comparison of the same cells on several random draws of a split, with a test whose units are the draws."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import isclose
from statistics import fmean, stdev

from recsys.reports.cells import check_identity
from recsys.reports.comparable import check_directions
from recsys.reports.comparison import Comparison
from recsys.reports.grouping import group_by
from recsys.reports.inference import Inference
from recsys.reports.over_splits import DRAW, OverSplits, compare_each, notes_of, shared_labels
from recsys.reports.scores import Pair, Score, limits_of
from recsys.reports.split_checks import check_draws
from recsys.reports.statistics import PairedDifference, corrected
from recsys.schema import REFIT, ComparisonError
from recsys.tracking.record import Record
from recsys.tracking.store import Store

_ROUNDING = 1e-10  # relative: values that differ less count as equal


def compare_draws(
    records: Iterable[Record],
    store: Store,
    baseline: str | None,
    metrics: Sequence[str],
    seed: int = 0,
    inference: Inference | None = None,
    labels: Mapping[str, str | Sequence[str]] | None = None,
    varied: Collection[str] = (),
) -> OverSplits:
    """Compare runs on each draw of the split, given by split.seed, then over all draws; arguments as in `compare`.

    Raises:
        ComparisonError: If the runs of a draw must not be compared, or the draws must not be pooled.
    """
    by_draw = group_by(records, lambda record: f"{DRAW} {(record.config.get('split') or {}).get('seed', 0)}")
    finished = {name: [record for record in own if record.is_finished] for name, own in by_draw.items()}
    failures = [record for own in by_draw.values() for record in own if not record.is_finished]
    groups = {name: own for name, own in sorted(finished.items(), key=_number) if own}
    compared = compare_each(groups, failures, DRAW, store, baseline, metrics, seed, inference, labels, varied)
    return pool_draws(compared, missing=[name for name, own in finished.items() if not own])


def _number(named: tuple[str, object]) -> tuple[int, str]:
    """The order of draws: by the number in their names."""
    return len(named[0]), named[0]


def pool_draws(
    comparisons: Mapping[str, Comparison], baseline: str | None = None, missing: Collection[str] = ()
) -> OverSplits:
    """Score the cells that all draws have by their means over the draws.

    Draws are the units: a draw's value is the mean over its users and seeds. Draws of one data set share most of their
    train part, so their standard deviation alone would give too narrow intervals; see `resampled_t`.

    Args:
        comparisons: The comparison of each draw.
        baseline: Label of the cell that all others are compared with; None: that of the first draw.
        missing: Names of draws without a finished run.

    Raises:
        ComparisonError: If there are too few draws, they differ in more than split.seed, or they share no cell.
    """
    check_draws(comparisons)
    records = [record for own in comparisons.values() for record in own.records]
    check_identity(records)
    first = next(iter(comparisons.values()))
    check_directions(first.metrics, records)
    shared, left_out = shared_labels(comparisons, DRAW)
    wanted = first.baseline if baseline is None else baseline
    reference = wanted if wanted in shared else None
    ratio = fmean(max(map(size_of_test, own.records)) for own in comparisons.values())
    means = {
        metric: {label: [own.row(label).scores[metric].mean for own in comparisons.values()] for label in shared}
        for metric in first.metrics
    }
    pairs = {metric: _pairs(own, ratio, first.inference) for metric, own in means.items() if len(shared) > 1}
    scores = {metric: _scores(own, ratio, first, metric, reference) for metric, own in means.items()}
    sign, main = -1 if first.lower_is_better(first.metrics[0]) else 1, scores[first.metrics[0]]
    n_users = max(own.n_users for own in comparisons.values())
    notes = notes_of(DRAW, wanted, shared, missing)
    labels = sorted(shared, key=lambda label: -sign * main[label].mean)
    return OverSplits(DRAW, dict(comparisons), labels, scores, pairs, n_users, 0, left_out, reference, notes)


def resampled_t(values: Sequence[float], test_to_known: float, level: float) -> tuple[float, float, float]:
    """The ends of the interval of the mean of values on random draws, and the two-sided p-value of a mean of 0.

    The corrected resampled t-test of Nadeau and Bengio (2003): with J draws, the variance of the mean is estimated as
    (1 / J + n_test / n_known) times the variance over draws, with J - 1 degrees of freedom.

    Args:
        values: (J,) values, such as differences of two cells.
        test_to_known: n_test / n_known, the size of the test as a share of the data that models know.
        level: Nominal coverage of the interval.

    Example:
        >>> low, high, p = resampled_t([0.1, 0.2, 0.3], 0.25, 0.95)
        >>> round(low, 4), round(high, 4), round(p, 4)
        (-0.1286, 0.5286, 0.1201)
    """
    from scipy.special import stdtr, stdtrit

    mean, n = fmean(values), len(values)
    error = ((1 / n + test_to_known) ** 0.5) * stdev(values)
    if error <= _ROUNDING * max(map(abs, values)):  # all draws have the same value
        return mean, mean, 0.0 if mean else 1.0
    reach = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return mean - reach, mean + reach, float(2 * stdtr(n - 1, -abs(mean) / error))


def size_of_test(record: Record) -> float:
    """The size of a run's test as a share of what its model knew: train, and validation after a refit.

    It counts what is drawn: users of split=cold_users, and interactions of the others, without those that
    `train_share` and `train_per_user` withheld.

    Raises:
        ComparisonError: If the record has no sizes of the parts.
    """
    parts = record.data_statistics.get("parts")
    if not parts:
        raise ComparisonError(
            f"run {record.run_id} has no sizes of its parts: a comparison over draws needs runs made by this version. "
            "Make older runs again with rerun=true."
        )
    counted = "users" if record.protocol.get("split") == "cold_users" else "interactions"
    known = ("train", "validation") if record.protocol.get("test_knowledge") == REFIT else ("train",)
    n_known = sum(parts.get(part, {}).get(counted, 0) for part in known)
    if counted == "interactions":
        n_known *= record.config.get("train_share") or 1
        per_user = record.config.get("train_per_user")
        if per_user is not None:  # at most, since some users have fewer
            n_known = min(n_known, per_user * max(parts.get(part, {}).get("users", 0) for part in known))
    return float(parts["test"][counted] / n_known)


def _difference(a: Sequence[float], b: Sequence[float], ratio: float, level: float) -> PairedDifference:
    values = [0.0 if isclose(one, other, rel_tol=_ROUNDING) else one - other for one, other in zip(a, b, strict=True)]
    low, high, p = resampled_t(values, ratio, level)
    spread = stdev(values)
    return PairedDifference(fmean(values), low, high, p, fmean(values) / spread if spread else 0.0)


def _pairs(means: Mapping[str, Sequence[float]], ratio: float, inference: Inference) -> list[Pair]:
    """The differences of all pairs of cells."""
    places = list(combinations(means, 2))
    found = [_difference(means[a], means[b], ratio, inference.level) for a, b in places]
    return [Pair(a, b, own) for (a, b), own in zip(places, corrected(found, inference), strict=True)]


def _scores(
    means: Mapping[str, Sequence[float]], ratio: float, first: Comparison, metric: str, baseline: str | None
) -> dict[str, Score]:
    """The mean of each cell with its interval, and its difference from the baseline."""
    inference, limits = first.inference, limits_of(first.records[0], metric)
    scores = {}
    for label, own in means.items():
        low, high, _ = resampled_t(own, ratio, inference.level)
        scores[label] = Score(fmean(own), low, high).within(limits)
    if baseline is None:
        return scores
    others = [label for label in means if label != baseline]
    reference = means[baseline]
    found = [_difference(means[label], reference, ratio, inference.level) for label in others]
    for label, difference in zip(others, corrected(found, inference), strict=True):
        scores[label] = replace(scores[label], difference=difference)
    return scores
