"""The range of possible values of a metric, to which intervals and axes of figures are limited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt

from recsys.reports.comparison import Comparison
from recsys.reports.plots.base import Rows
from recsys.reports.plots.labelling import NARROW

_ENDS = ("low", "high", "low_with_seeds", "high_with_seeds")

Range = tuple[float | None, float | None]


def range_of(comparison: Comparison, metric: str) -> Range:
    """The least and the greatest possible value of a metric; None for no limit, or if the runs do not record it."""
    low, high = comparison.records[0].ranges.get(metric.rsplit("/", 1)[-1], (None, None))
    return low, high


def within(value: float | None, limits: Range) -> float | None:
    """A value, limited to a range; None for no limit.

    Example:
        >>> within(-0.01, (0.0, 1.0)), within(0.2, (0.0, 1.0)), within(1.01, (0.0, None)), within(None, (0.0, 1.0))
        (0.0, 0.2, 1.01, None)
    """
    low, high = limits
    if value is None:
        return None
    value = value if low is None else max(low, value)
    return value if high is None else min(high, value)


def clipped(rows: Iterable[dict[str, Any]], limits: Range) -> Rows:
    """Rows with the ends of their intervals limited to the range."""
    return [{**row, **{key: within(row[key], limits) for key in _ENDS if key in row}} for row in rows]


def labels_within(limits: Range) -> alt.Axis:
    """An axis without labels for values beyond the limits."""
    low, high = limits
    tests = [f"datum.value < {low}"] if low is not None else []
    tests += [f"datum.value > {high}"] if high is not None else []
    return alt.Axis(labelExpr=f"{' || '.join(tests)} ? '' : datum.label") if tests else alt.Axis()


def metric_scale(
    limits: Range, values: Iterable[float | None], padding: int, *, keeps_room: bool = False, **settings: Any
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
    ends = [within(least - room, limits), greatest + room if keeps_room else within(greatest + room, limits)]
    if ends == [least - room, greatest + room] or least == greatest:
        return alt.Scale(zero=False, padding=padding, **settings)
    return alt.Scale(domain=ends, **settings)  # without padding, which Vega would add beyond the range
