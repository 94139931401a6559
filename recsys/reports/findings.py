"""The findings of a comparison as sentences, derived from its numbers."""

from __future__ import annotations

from recsys.reports.comparison import Comparison, Row
from recsys.reports.corrections import NAMES
from recsys.reports.costs import Cost
from recsys.reports.formatting import (
    interval,
    metric_name,
    number,
    p_equals,
    seconds,
    times,
    with_interval,
)
from recsys.reports.scores import ends_of
from recsys.reports.statistics import PairedDifference

SHORTEST = 0.1  # least seconds of training for ratios; fits by counting take less


def summary_of(comparison: Comparison) -> str:
    """Numbers of cells, seeds and users, data and split, in a line."""
    cells, seeds = len(comparison.rows), len(comparison.seeds)
    choices = comparison.records[0].choices
    on = f" on {choices['data']}" if choices.get("data") else ""
    split = f", split {choices['split']}" if choices.get("split") else ""
    return (
        f"{cells} cell{'s' if cells > 1 else ''}{on}{split}: {seeds} seed{'s' if seeds > 1 else ''} each, "
        f"tested on {comparison.n_users} users"
    )


def headline(comparison: Comparison) -> str:
    """A sentence about the best cell by the first metric; with several seeds its interval includes their variance."""
    metric = comparison.metrics[0]
    best = comparison.row(comparison.best(metric))
    score = best.scores[metric]
    spread = (
        "" if score.seed_sd is None else f", standard deviation over {len(comparison.seeds)} seeds {score.seed_sd:.4f}"
    )
    return f"{best.label} has the best {metric_name(metric)}: {with_interval(score.mean, *ends_of(score))}{spread}."


def findings(comparison: Comparison) -> list[str]:
    """A sentence for each cell about its difference from the baseline in the first metric."""
    if comparison.baseline is None:
        return []
    baseline = comparison.row(comparison.baseline)
    metric = comparison.metrics[0]
    return [_finding(row, baseline, comparison) for row in comparison.rows if row.scores[metric].difference is not None]


def _finding(row: Row, baseline: Row, comparison: Comparison) -> str:
    metric = comparison.metrics[0]
    difference = row.scores[metric].difference
    assert difference is not None
    evidence, cost = _evidence(difference, comparison), _training_time(row.cost, baseline.cost)
    if not comparison.is_significant(difference):
        size = _size(difference, metric, signed=True)
        return f"{row.label} does not differ significantly from {baseline.label}: {size}, {evidence}, {cost}."
    verb = f"is significantly {'better' if comparison.is_better(difference, metric) else 'worse'} than"
    size = _size(difference if difference.mean > 0 else difference.reversed, metric)
    return f"{row.label} {verb} {baseline.label} by {size}, {evidence}, {cost}."


def _size(difference: PairedDifference, metric: str, signed: bool = False) -> str:
    """A difference with its intervals."""
    users = interval(difference.low, difference.high, signed)
    both = interval(difference.low_with_seeds, difference.high_with_seeds, signed)
    with_seeds = f" ({both} for new seeds too)" if both else ""
    return f"{number(difference.mean, signed)} {metric_name(metric)} {users}{with_seeds}"


def _evidence(difference: PairedDifference, comparison: Comparison) -> str:
    n, correction = comparison.n_comparisons(comparison.metrics[0]), NAMES[comparison.inference.correction]
    family = f" ({correction}, {n} comparisons)" if n > 1 else ""
    effect_size = f"{difference.effect_size:z.2f}".replace("-", "−")
    return f"{p_equals(difference.p_corrected)}{family}, d = {effect_size}"


def _training_time(cost: Cost, reference: Cost) -> str:
    """The training time compared with the baseline's, as a ratio if both are long enough."""
    own, others = cost.train or 0.0, reference.train or 0.0
    if min(own, others) >= SHORTEST:
        return f"{times(own / others)} the training time"
    return f"{_in_words(own)} of training against {_in_words(others)}"


def _in_words(time: float) -> str:
    return seconds(time) if time >= SHORTEST else f"less than {SHORTEST} s"
