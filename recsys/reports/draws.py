"""Comparison of the same cells on several random draws of a split, with a test whose units are the draws."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import fmean, stdev

from recsys.reports.cells import check_identity
from recsys.reports.comparable import check_directions
from recsys.reports.comparison import Comparison, compare
from recsys.reports.grouping import group_by
from recsys.reports.inference import Inference
from recsys.reports.over_splits import DRAW, OverSplits, shared_labels
from recsys.reports.scores import Pair, Score, limits_of
from recsys.reports.split_checks import check_draws, failures_of
from recsys.reports.statistics import PairedDifference, corrected
from recsys.schema import REFIT
from recsys.tracking.record import Record
from recsys.tracking.store import Store


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
    records = list(records)
    failures = [record for record in records if not record.is_finished]
    finished = [record for record in records if record.is_finished]
    groups = group_by(finished, lambda record: int((record.config.get("split") or {}).get("seed", 0)))
    return pool_draws(
        {
            f"{DRAW} {number}": compare(
                [*own, *failures_of(own, failures)], store, baseline, metrics, seed, inference, labels, varied
            )
            for number, own in sorted(groups.items())
        }
    )


def pool_draws(comparisons: Mapping[str, Comparison]) -> OverSplits:
    """Score the cells that all draws have by their means over the draws.

    Draws are the units: a draw's value is the mean over its users and seeds. Draws of one data set share most of their
    train part, so their standard deviation alone would give too narrow intervals; see `resampled_t`.

    Args:
        comparisons: The comparison of each draw.

    Raises:
        ComparisonError: If there are too few draws, they differ in more than split.seed, or they share no cell.
    """
    check_draws(comparisons)
    records = [record for own in comparisons.values() for record in own.records]
    check_identity(records)
    first = next(iter(comparisons.values()))
    check_directions(first.metrics, records)
    shared, left_out = shared_labels(comparisons, DRAW)
    ratio = fmean(size_of_test(own.records[0]) for own in comparisons.values())
    means = {
        metric: {label: [own.row(label).scores[metric].mean for own in comparisons.values()] for label in shared}
        for metric in first.metrics
    }
    pairs = {metric: _pairs(own, ratio, first.inference) for metric, own in means.items() if len(shared) > 1}
    scores = {metric: _scores(own, ratio, first, metric) for metric, own in means.items()}
    sign, main = -1 if first.lower_is_better(first.metrics[0]) else 1, scores[first.metrics[0]]
    n_users = max(own.n_users for own in comparisons.values())
    labels = sorted(shared, key=lambda label: -sign * main[label].mean)
    return OverSplits(DRAW, dict(comparisons), labels, scores, pairs, n_users, n_users, left_out)


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
        (-0.1286, 0.5286, 0.1200)
    """
    from scipy.special import stdtr, stdtrit

    mean, n = fmean(values), len(values)
    error = ((1 / n + test_to_known) ** 0.5) * stdev(values)
    if error == 0:
        return mean, mean, 1.0 if mean == 0 else 0.0
    reach = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return mean - reach, mean + reach, float(2 * stdtr(n - 1, -abs(mean) / error))


def size_of_test(record: Record) -> float:
    """Test interactions for each interaction that a run's model knew: train, and validation after a refit."""
    parts = record.data_statistics["parts"]
    known = ("train", "validation") if record.protocol.get("test_knowledge") == REFIT else ("train",)
    return float(parts["test"]["interactions"] / sum(parts.get(part, {}).get("interactions", 0) for part in known))


def _difference(a: Sequence[float], b: Sequence[float], ratio: float, level: float) -> PairedDifference:
    values = [one - other for one, other in zip(a, b, strict=True)]
    low, high, p = resampled_t(values, ratio, level)
    spread = stdev(values)
    return PairedDifference(fmean(values), low, high, p, fmean(values) / spread if spread else 0.0)


def _pairs(means: Mapping[str, Sequence[float]], ratio: float, inference: Inference) -> list[Pair]:
    """The differences of all pairs of cells."""
    places = list(combinations(means, 2))
    found = [_difference(means[a], means[b], ratio, inference.level) for a, b in places]
    return [Pair(a, b, own) for (a, b), own in zip(places, corrected(found, inference), strict=True)]


def _scores(means: Mapping[str, Sequence[float]], ratio: float, first: Comparison, metric: str) -> dict[str, Score]:
    """The mean of each cell with its interval, and its difference from the baseline."""
    inference, limits = first.inference, limits_of(first.records[0], metric)
    scores = {}
    for label, own in means.items():
        low, high, _ = resampled_t(own, ratio, inference.level)
        scores[label] = Score(fmean(own), low, high).within(limits)
    if first.baseline is None:
        return scores
    others = [label for label in means if label != first.baseline]
    reference = means[first.baseline]
    found = [_difference(means[label], reference, ratio, inference.level) for label in others]
    for label, difference in zip(others, corrected(found, inference), strict=True):
        scores[label] = replace(scores[label], difference=difference)
    return scores
