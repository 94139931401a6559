"""The three answers of the first screen: the best cell, its significance and its cost.

Intervals cover what the tests do: users, and with several seeds their variance too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recsys.reports.comparison import Comparison, Row
from recsys.reports.costs import Cost
from recsys.reports.formatting import (
    ABSENT,
    count,
    counted,
    interval,
    listed,
    megabytes,
    metric_name,
    number,
    p_value,
    seconds,
    times,
)
from recsys.reports.scores import Pair, ends_of


@dataclass(frozen=True)
class Answer:
    """An answer in a few words, with its numbers."""

    question: str
    answer: str
    details: list[str]


def verdict(comparison: Comparison) -> list[Answer]:
    """The best cell by the first metric, its significance and its cost."""
    return [_best(comparison), _certainty(comparison), _cost(comparison)]


def total_seconds(cost: Cost) -> float | None:
    """Seconds of encoding, training and testing a cell once; None if nothing was timed."""
    known = [value for value in (cost.encode, cost.train, cost.test) if value is not None]
    return sum(known) or None


def equals(comparison: Comparison) -> list[str]:
    """Labels of the cells that do not differ significantly from the best, in the order of the rows."""
    best = comparison.rows[0].label
    return [pair.b for pair in _pairs_of_best(comparison, best) if not comparison.is_significant(pair.difference)]


def _best(comparison: Comparison) -> Answer:
    best, metric = comparison.rows[0], comparison.metrics[0]
    score = best.scores[metric]
    details = [f"{metric_name(metric)} {number(score.mean)} {interval(*ends_of(score))}".rstrip()]
    if score.difference is not None:
        own = score.difference
        details.append(
            f"{number(own.mean, signed=True)} {interval(*ends_of(own), signed=True)} against {comparison.baseline}"
        )
    elif best.label == comparison.baseline:
        details.append("It is the baseline itself.")
    return Answer("Which is best?", best.label, details)


def _certainty(comparison: Comparison) -> Answer:
    question, n_others = "How sure?", len(comparison.rows) - 1
    pairs = _pairs_of_best(comparison, comparison.rows[0].label)
    if not n_others:
        return Answer(question, "Nothing to compare with", list(_sample(comparison)))
    if not pairs:
        reason = f"{metric_name(comparison.metrics[0])} has no value per user, so there is no test of differences."
        return Answer(question, "Unknown", [reason, *_sample(comparison)])
    ties = equals(comparison)
    if not ties:
        answer = f"Significantly better than {'the other' if n_others == 1 else f'all {n_others} others'}"
    else:
        answer = f"Not significantly better than {len(ties)} of {n_others}: {listed(ties)}"
    own = pairs[0].difference.reversed
    corrected = f"p {p_value(own.p_corrected)}" + (", corrected for all pairs" if n_others > 1 else "")
    ahead = f"Next: {pairs[0].b}, {number(own.mean, signed=True)} {interval(*ends_of(own), signed=True)}, {corrected}"
    return Answer(question, answer, [ahead, *_families(comparison), *_sample(comparison)])


def _families(comparison: Comparison) -> Iterator[str]:
    """Why p of a pair here and in the findings differ."""
    n, of_findings = len(comparison.rows), comparison.n_comparisons(comparison.metrics[0])
    all_pairs, reference = n * (n - 1) // 2, comparison.baseline
    if reference is not None and of_findings < all_pairs:
        below = f"{counted(of_findings, 'pair')} with {reference} below"
        yield f"p is corrected for all {all_pairs} pairs here, and for {below}"


def _sample(comparison: Comparison) -> Iterator[str]:
    seeds, score = len(comparison.seeds), comparison.rows[0].scores[comparison.metrics[0]]
    if score.seed_sd is None:
        size, scope = f"{comparison.n_users} users, one seed", "tests and intervals hold for new users only"
    else:
        size = f"{comparison.n_users} users, {seeds} seeds with a standard deviation of {number(score.seed_sd)}"
        scope = "tests hold for new users and new seeds"
    yield size if score.low is None else f"{size}: {scope}"


def _cost(comparison: Comparison) -> Answer:
    best = comparison.rows[0]
    time, weights = total_seconds(best.cost), best.cost.trainable
    answer = ABSENT if time is None else seconds(time)
    memory = megabytes(best.cost.peak_mb)
    details = [f"for encoding, training and test; {count(weights)} trained weights, peak memory {memory}"]
    details += [*_against_baseline(comparison, time), *_cheaper(comparison, best, time)]
    return Answer("At what cost?", answer, details)


def _against_baseline(comparison: Comparison, time: float | None) -> Iterator[str]:
    reference = comparison.baseline
    if reference in (None, comparison.rows[0].label) or time is None:
        return
    own = total_seconds(comparison.row(str(reference)).cost)
    if own:
        yield f"{times(time / own)} the time of {reference}"


def _cheaper(comparison: Comparison, best: Row, time: float | None) -> Iterator[str]:
    """A sentence about the cheapest cell that is not significantly worse than the best."""
    costs = {label: total_seconds(comparison.row(label).cost) for label in equals(comparison)}
    known = {label: cost for label, cost in costs.items() if cost is not None}
    if time is None or not known:
        return
    label = min(known, key=lambda label: known[label])
    if known[label] >= time:
        yield "No cell that is not significantly worse is cheaper."
        return
    metric = comparison.metrics[0]
    value = comparison.row(label).scores[metric].mean
    more = "more" if comparison.lower_is_better(metric) else "less"
    gap = number(abs(best.scores[metric].mean - value))
    yield (
        f"Cheapest that is not significantly worse: {label}, {times(known[label] / time)} the time "
        f"and {gap} {more} {metric_name(metric)}"
    )


def _pairs_of_best(comparison: Comparison, best: str) -> list[Pair]:
    return [pair for pair in comparison.pairs(comparison.metrics[0]) if pair.a == best]
