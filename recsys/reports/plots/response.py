"""Response curves: the first metric by a numeric config key, a line for cells that only differ in this key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from recsys.reports.cell_labels import differing_settings, labels
from recsys.reports.comparison import Comparison, Row
from recsys.reports.formatting import axis_title, interval, metric_name, number, percent
from recsys.reports.grids import Entry, Grid
from recsys.reports.grouping import group_by
from recsys.reports.plots.base import WIDTH, Figure, Layers, and_more, named, numbers, to_spec
from recsys.reports.plots.ranges import clipped, range_of
from recsys.reports.plots.theme import SHAPES
from recsys.reports.plots.trials import file_name, words
from recsys.support.number_checks import is_number

_LEAST = 3  # least number of values of a line; two can be read from a table


@dataclass(frozen=True)
class _Line:
    """Cells that differ in one key only, by its value."""

    label: str
    points: list[tuple[Any, Row]]


def response_figures(comparison: Comparison) -> list[Figure]:
    """A figure for each config key of which cells that are equal otherwise have three or more numeric values."""
    settings = differing_settings([row.cell.records[0] for row in comparison.rows])
    keys = dict.fromkeys(key for own in settings for key in own)
    found = {key: _lines(comparison, settings, key) for key in keys}
    return [_figure(comparison, key, lines) for key, lines in found.items() if lines]


def _lines(comparison: Comparison, settings: Sequence[dict[str, Any]], key: str) -> list[_Line]:
    """Lines with at least _LEAST values, the line with the best cell first."""
    cells = [(own, row) for own, row in zip(settings, comparison.rows, strict=True) if _has_place(own, key)]
    alike = group_by(cells, lambda cell: repr(sorted({**cell[0], key: None}.items(), key=repr)))
    groups = [
        sorted(((own[key], row) for own, row in group), key=lambda point: _place(point[0]))
        for group in alike.values()
        if len(group) >= _LEAST
    ]
    named_by = labels([points[-1][1].cell.records for points in groups])
    return [_Line(label, points) for label, points in zip(named_by, groups, strict=True)]


def _has_place(settings: dict[str, Any], key: str) -> bool:
    return key in settings and (settings[key] is None or is_number(settings[key]))


def _place(value: Any) -> tuple[bool, float]:
    """Sort key: numbers by size, then null, which usually means no limit."""
    return (True, 0.0) if value is None else (False, value)


def _figure(comparison: Comparison, key: str, lines: Sequence[_Line]) -> Figure:
    metric, shown = comparison.metrics[0], lines[: len(SHAPES)]
    values = [words(value) for value in sorted({value for line in shown for value, _ in line.points}, key=_place)]
    rows = clipped((row for line in shown for row in _rows(line, metric)), range_of(comparison, metric))
    spec = to_spec(_chart(key, metric, values, [line.label for line in shown]), {"rows": rows, **_floor(comparison)})
    return Figure(
        f"by_{file_name(key)}",
        f"{metric_name(metric)} by {key}",
        f"The cells of a line differ in {key} only, whose values are evenly spaced. Bands are the "
        f"{percent(comparison.level)} intervals over users.{and_more(len(lines), len(shown), 'lines')}",
        "; ".join(_course(line, key, metric) for line in shown) + ".",
        spec,
        Grid(["line", key, metric_name(metric), "low", "high"], list(_entries(lines, metric))),
    )


def _rows(line: _Line, metric: str) -> Iterator[dict[str, Any]]:
    for value, row in line.points:
        score = row.scores[metric]
        yield {
            "line": line.label,
            "x": words(value),
            "value": score.mean,
            "low": score.low,
            "high": score.high,
            "interval": interval(score.low, score.high),
        }


def _floor(comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """The baseline, for a horizontal line."""
    label = comparison.baseline
    score = None if label is None else comparison.row(label).scores[comparison.metrics[0]]
    return {"baseline": [] if score is None else [{"value": score.mean, "text": label}]}


def _chart(key: str, metric: str, values: list[str], lines: list[str]) -> Layers:
    x = alt.X("x:O", title=key, scale=alt.Scale(domain=values), axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=axis_title(metric))
    scale, legend = alt.Scale(domain=lines), alt.Legend(orient="top", title=None)
    base = alt.Chart(named("rows")).encode(x=x, color=alt.Color("line:N", scale=scale, legend=legend))
    tips = [
        alt.Tooltip("line:N"),
        alt.Tooltip("x:O", title=key),
        alt.Tooltip("value:Q", title=metric_name(metric), format=".4f"),
        alt.Tooltip("interval:N", title="interval over users"),
    ]
    floor = alt.Chart(named("baseline")).encode(y="value:Q")
    return alt.layer(
        floor.mark_rule(style="reference"),
        floor.mark_text(style="note", align="left", dx=4, baseline="bottom").encode(x=alt.value(0), text="text:N"),
        base.mark_area(style="band").encode(y="low:Q", y2="high:Q"),
        base.mark_line().encode(y=y),
        base.mark_point(style="dot").encode(y=y, shape=alt.Shape("line:N", scale=scale, legend=legend), tooltip=tips),
    ).properties(width=WIDTH, height=300)


def _course(line: _Line, key: str, metric: str) -> str:
    (first, start), (last, end) = line.points[0], line.points[-1]
    means = [number(row.scores[metric].mean) for row in (start, end)]
    return f"{line.label} goes from {means[0]} at {key} {words(first)} to {means[1]} at {words(last)}"


def _entries(lines: Sequence[_Line], metric: str) -> Iterator[list[Entry]]:
    for line in lines:
        for value, row in line.points:
            score = row.scores[metric]
            own = Entry(words(value), value=value)
            yield [Entry(line.label), own, *numbers([score.mean, score.low, score.high])]
