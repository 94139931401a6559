"""Accuracy against cost, with the Pareto frontier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from recsys.reports.comparison import Comparison, Row
from recsys.reports.formatting import axis_title, interval, megabytes, metric_name, number, percent, seconds
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import WIDTH, Figure, Layers, Rows, named, to_spec
from recsys.reports.plots.families import Families, families
from recsys.reports.plots.labelling import Canvas, add_sides, label_layers
from recsys.reports.plots.ranges import clipped, range_of
from recsys.reports.verdict import total_seconds

_HEIGHT = 340


@dataclass(frozen=True)
class _Axis:
    name: str
    title: str
    words: str


_TIME = _Axis("accuracy_cost", "seconds of encoding, training and test (log scale)", "time")
_MEMORY = _Axis("accuracy_memory", "peak memory in MB (log scale)", "memory")


def frontier(points: Sequence[tuple[float, float]], lower: bool = False) -> list[int]:
    """Indices of the points (cost, value) on the Pareto frontier, by ascending cost.

    A point is dominated by one that costs no more and is at least as good, and is better in one of the two.

    Example:
        >>> frontier([(1.0, 0.2), (3.0, 0.5), (2.0, 0.1), (3.0, 0.4)])
        [0, 1]
    """
    sign = -1 if lower else 1
    found: list[int] = []
    best = None
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -sign * points[place][1])):
        value = sign * points[place][1]
        tied = bool(found) and points[place] == points[found[-1]]
        if best is None or value > best or tied:
            found.append(place)
            best = value if best is None else max(best, value)
    return found


def cost_figures(comparison: Comparison) -> list[Figure]:
    """Figures of the first metric against time and against peak memory, if the runs have them."""
    plans = [
        (_TIME, [(row, total_seconds(row.cost)) for row in comparison.rows]),
        (_MEMORY, [(row, row.cost.peak_mb or None) for row in comparison.rows]),
    ]
    known = [(axis, [(row, cost) for row, cost in own if cost is not None]) for axis, own in plans]
    return [_figure(comparison, axis, own) for axis, own in known if own]


def _figure(comparison: Comparison, axis: _Axis, points: Sequence[tuple[Row, float]]) -> Figure:
    metric, family = comparison.metrics[0], families(comparison)
    lower = comparison.lower_is_better(metric)
    best = frontier([(cost, row.scores[metric].mean) for row, cost in points], lower)
    names = [points[place][0].label for place in best]
    rows = [_row(row, metric, family) | _costs(cost, axis, row.label in names) for row, cost in points]
    first = [comparison.rows[0].label, *names, *([comparison.baseline] if comparison.baseline else [])]
    rows = add_sides(rows, "cost", "value", first, Canvas(WIDTH * 0.8, _HEIGHT, log=True))
    line = [{"cost": rows[place]["cost"], "value": rows[place]["value"]} for place in best]
    drawn = {"rows": clipped(rows, range_of(comparison, metric)), "line": line}
    return Figure(
        axis.name,
        f"{metric_name(metric)} against {axis.words}",
        f"Up{' is worse' if lower else ' is better'}, left is cheaper. The dotted line joins the cells on the Pareto "
        "frontier: no other cell is at least as good in both and better in one. Bars are "
        f"{percent(comparison.level)} intervals over users. Point at a dot for its name, or see the table.",
        "On the frontier, from the lowest cost to the highest: "
        + "; ".join(f"{rows[place]['cell']} ({rows[place]['shown']}, {rows[place]['text']})" for place in best)
        + ".",
        to_spec(_chart(axis, metric, family, rows), drawn),
        _grid(rows, axis, metric),
    )


def _chart(axis: _Axis, metric: str, family: Families, rows: Rows) -> Layers:
    x = alt.X(
        "cost:Q",
        title=axis.title,
        scale=alt.Scale(type="log", padding=24, nice=False),
        axis=alt.Axis(tickCount=6, format="~g"),
    )
    y = alt.Y("value:Q", title=axis_title(metric), scale=alt.Scale(zero=False))
    base = alt.Chart(named("rows")).encode(x=x)
    tips = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("text:N", title=metric_name(metric)),
        alt.Tooltip("interval:N", title="interval over users"),
        alt.Tooltip("shown:N", title=axis.words),
    ]
    line = alt.Chart(named("line")).mark_line(style="frontier", interpolate="step-after").encode(x=x, y=y)
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y="low:Q", y2="high:Q", color=family.colour())
    dots = base.mark_point(style="dot").encode(y=y, color=family.colour(), shape=family.shape(), tooltip=tips)
    return alt.layer(line, bars, dots, *label_layers(base.encode(y=y, text="cell:N"), rows)).properties(
        width=WIDTH, height=_HEIGHT
    )


def _costs(cost: float, axis: _Axis, is_best: bool) -> dict[str, Any]:
    return {"cost": cost, "shown": (seconds if axis is _TIME else megabytes)(cost), "frontier": is_best}


def _row(row: Row, metric: str, family: Families) -> dict[str, Any]:
    score = row.scores[metric]
    return {
        "cell": row.label,
        "family": family.of(row),
        "value": score.mean,
        "low": score.low,
        "high": score.high,
        "text": number(score.mean),
        "interval": interval(score.low, score.high),
    }


def _grid(rows: Rows, axis: _Axis, metric: str) -> Grid:
    headers = ["cell", metric_name(metric), "low", "high", axis.title.removesuffix(" (log scale)"), "on the frontier"]
    lines = []
    for row in rows:
        numbers = [Entry(number(row[key]), value=row[key]) for key in ("value", "low", "high")]
        cost = Entry(row["shown"], value=row["cost"])
        lines.append([Entry(row["cell"]), *numbers, cost, Entry("yes" if row["frontier"] else "no")])
    return Grid(headers, lines)
