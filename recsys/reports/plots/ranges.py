"""The values that a metric can have: intervals and axes of figures end there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt

from recsys.reports.plots.base import Rows
from recsys.reports.plots.labelling import NARROW

_SHARES = ("ndcg", "recall", "hit_rate", "precision", "map", "mrr", "auc", "mind_mrr", "coverage", "gini", "diversity")
_NOT_NEGATIVE = ("novelty", "average_popularity")
_ENDS = ("low", "high", "low_with_seeds", "high_with_seeds")

Range = tuple[float | None, float | None]


def range_of(metric: str) -> Range:
    """The least and the greatest value of a metric; None for no limit, as for metrics of one's own.

    Example:
        >>> range_of("val/ndcg@10"), range_of("sampled_mrr"), range_of("novelty@5"), range_of("my_metric")
        ((0.0, 1.0), (0.0, 1.0), (0.0, None), (None, None))
    """
    name = metric.rpartition("/")[2].partition("@")[0].removeprefix("sampled_")
    return (0.0, 1.0) if name in _SHARES else (0.0, None) if name in _NOT_NEGATIVE else (None, None)


def within(value: float | None, metric: str) -> float | None:
    """A value, or the end of the metric's range that it lies beyond.

    Example:
        >>> within(-0.01, "ndcg@10"), within(0.2, "ndcg@10"), within(1.01, "ndcg@10"), within(None, "ndcg@10")
        (0.0, 0.2, 1.0, None)
    """
    low, high = range_of(metric)
    if value is None:
        return None
    value = value if low is None else max(low, value)
    return value if high is None else min(high, value)


def clipped(rows: Iterable[dict[str, Any]], metric: str) -> Rows:
    """Rows whose intervals end within the metric's range."""
    return [{**row, **{key: within(row[key], metric) for key in _ENDS if key in row}} for row in rows]


def labels_within(metric: str) -> alt.Axis:
    """An axis without labels for values that the metric cannot have."""
    low, high = range_of(metric)
    tests = [f"datum.value < {low}"] if low is not None else []
    tests += [f"datum.value > {high}"] if high is not None else []
    return alt.Axis(labelExpr=f"{' || '.join(tests)} ? '' : datum.label") if tests else alt.Axis()


def metric_scale(
    metric: str, values: Iterable[float | None], padding: int, *, keeps_room: bool = False, **settings: Any
) -> alt.Scale:
    """A scale without values that the metric cannot have; it need not begin at zero.

    Args:
        metric: Its name.
        values: That are drawn, ends of intervals among them.
        padding: Pixels beyond the values, where the range allows them.
        keeps_room: Whether the padding above the values is kept in any case, for labels to the right of marks.
        settings: Further ones of the scale.
    """
    known = [value for value in values if value is not None and value == value]
    least, greatest = min(known, default=0.0), max(known, default=1.0)
    room = (greatest - least) * padding / (NARROW - 2 * padding)  # of the narrowest plot
    ends = [within(least - room, metric), greatest + room if keeps_room else within(greatest + room, metric)]
    if ends == [least - room, greatest + room] or least == greatest:
        return alt.Scale(zero=False, padding=padding, **settings)
    return alt.Scale(domain=ends, **settings)  # Vega would add a padding beyond the range
