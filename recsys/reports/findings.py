"""What a comparison says, in sentences; every word follows from its numbers."""

from __future__ import annotations

from recsys.reports.comparison import Comparison, Cost, Row, lower_is_better
from recsys.reports.formatting import (
    interval,
    metric_name,
    number,
    p_value,
    seconds,
    times,
    with_interval,
)


def headline(comparison: Comparison) -> str:
    """The best cell by the first metric."""
    metric = comparison.metrics[0]
    best = comparison.row(comparison.best(metric))
    score = best.scores[metric]
    spread = (
        "" if score.seed_sd is None else f", standard deviation over {len(comparison.seeds)} seeds {score.seed_sd:.4f}"
    )
    return (
        f"{best.label} has the best {metric_name(metric)}: {with_interval(score.mean, score.low, score.high)}{spread}."
    )


def findings(comparison: Comparison) -> list[str]:
    """One sentence for each cell: how it differs from the baseline in the first metric."""
    if comparison.baseline is None:
        return []
    baseline = comparison.row(comparison.baseline)
    metric = comparison.metrics[0]
    return [_finding(row, baseline, comparison) for row in comparison.rows if row.scores[metric].difference is not None]


def _finding(row: Row, baseline: Row, comparison: Comparison) -> str:
    metric = comparison.metrics[0]
    difference = row.scores[metric].difference
    assert difference is not None
    n = comparison.n_comparisons(metric)
    family = f" (Holm, {n} comparisons)" if n > 1 else ""
    p = p_value(difference.p_corrected)
    evidence = f"p {f'< {p[1:]}' if p.startswith('<') else f'= {p}'}{family}, d = {difference.effect_size:.2f}".replace(
        "-", "−"
    )
    name, cost = metric_name(metric), _training_time(row.cost, baseline.cost)
    if not comparison.is_significant(difference):
        size = f"{number(difference.mean, signed=True)} {name} {interval(difference.low, difference.high, signed=True)}"
        return f"{row.label} does not differ significantly from {baseline.label}: {size}, {evidence}, {cost}."
    better = (difference.mean > 0) is not lower_is_better(metric)
    ends = sorted(map(abs, (difference.low, difference.high))) if difference.low * difference.high > 0 else None
    sign = 1 if difference.mean > 0 else -1
    low, high = ends if ends is not None else sorted((sign * difference.low, sign * difference.high))
    verb = "beats" if better else "falls short of"
    size = f"{number(abs(difference.mean))} {name} {interval(low, high)}"
    return f"{row.label} {verb} {baseline.label} by {size}, {evidence}, {cost}."


def _training_time(cost: Cost, reference: Cost) -> str:
    """The training time beside the baseline's; a ranker that is not trained has none."""
    if not cost.train:
        return "without training" if not reference.train else f"without training against {seconds(reference.train)}"
    if not reference.train:
        return f"{seconds(cost.train)} of training against none"
    return f"{times(cost.train / reference.train)} the training time"
