"""The range of possible values of a metric, to which intervals and axes of figures are limited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt

from recsys.reports.comparison import Comparison
from recsys.reports.plots.base import Rows
from recsys.reports.plots.labelling import NARROW
from recsys.reports.scores import Limits, limited, limits_of

_ENDS = ("low", "high", "low_with_seeds", "high_with_seeds")


def range_of(comparison: Comparison, metric: str) -> Limits:
    """The least and the greatest possible value of a metric; None for no limit, or if the runs do not record it."""
    return limits_of(comparison.records[0], metric)


def clipped(rows: Iterable[dict[str, Any]], limits: Limits) -> Rows:
    """Rows with the ends of their intervals limited to the range."""
    return [{**row, **{key: limited(row[key], limits) for key in _ENDS if key in row}} for row in rows]


def labels_within(limits: Limits) -> alt.Axis:
    """An axis without labels for values beyond the limits."""
    low, high = limits
    tests = [f"datum.value < {low}"] if low is not None else []
    tests += [f"datum.value > {high}"] if high is not None else []
    return alt.Axis(labelExpr=f"{' || '.join(tests)} ? '' : datum.label") if tests else alt.Axis()


def metric_scale(
    limits: Limits, values: Iterable[float | None], padding: int, *, keeps_room: bool = False, **settings: Any
) -> alt.Scale:
    """A scale without impossible values of the metric; it need not begin at zero.

    Args:
        limits: The least and the greatest value of the metric.
        values: The drawn values, including ends of intervals.
        padding: Pixels beyond the values, as far as the range allows.
        keeps_room: Whether the padding above the values is kept in any case, for labels to the right of marks.
        settings: Further settings of the scale.
    """
    known = [value for value in values if value is not None and value == value]
    least, greatest = min(known, default=0.0), max(known, default=1.0)
    room = (greatest - least) * padding / (NARROW - 2 * padding)  # padding of the narrowest plot, in the metric's unit
    ends = [limited(least - room, limits), greatest + room if keeps_room else limited(greatest + room, limits)]
    if ends == [least - room, greatest + room] or least == greatest:
        return alt.Scale(zero=False, padding=padding, **settings)
    return alt.Scale(domain=ends, **settings)  # without padding, which Vega would add beyond the range
