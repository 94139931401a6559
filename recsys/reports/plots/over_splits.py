"""A metric of each cell by window of time, or draw of a split."""

from __future__ import annotations

from typing import Any

import altair as alt

from recsys.reports.formatting import axis_title, interval, metric_name, percent
from recsys.reports.grids import Entry, Grid
from recsys.reports.over_splits import OVER, WINDOW, OverSplits
from recsys.reports.plots.base import WIDTH, Figure, Layers, and_more, named, numbers, to_spec
from recsys.reports.plots.ranges import clipped, range_of
from recsys.reports.plots.theme import SHAPES
from recsys.reports.scores import ends_of
from recsys.reports.split_checks import period_of_test
from recsys.tracking.names import as_name


def over_splits_figure(found: OverSplits, metric: str) -> Figure:
    """The figure of the best cells and the baseline as lines, with their intervals as bands."""
    shown = _shown(found)
    rows = clipped((row for label in shown for row in _rows(found, metric, label)), range_of(found.first, metric))
    n, best = len(found.comparisons), found.best(metric)
    covers = "users and seeds" if len(found.first.seeds) > 1 else "users"
    day = ", whose first day is below its name" if found.unit == WINDOW else ""
    return Figure(
        f"{as_name(OVER[found.unit])}_{metric.replace('@', '_').replace('/', '_')}",
        f"{metric_name(metric)} by {'window of time' if found.unit == WINDOW else 'draw'}",
        f"Each {found.unit} has its own test{day}. Bands are the "
        f"{percent(found.first.level)} intervals over {covers}. Where lines cross, the order of the cells "
        f"changes.{and_more(len(found.labels), len(shown), baseline=shown != found.labels[: len(shown)])}",
        f"{metric_name(metric)} of {len(shown)} cells in {n} {found.unit}s. {best} is first over all {found.unit}s, "
        f"and has the best mean in {found.n_best(best, metric)} of {n}.",
        to_spec(_chart(metric, [str(row["x"]) for row in _rows(found, metric, best)], shown), {"rows": rows}),
        _grid(found, metric),
    )


def _shown(found: OverSplits) -> list[str]:
    """Labels of the best cells and the baseline, as many as there are colours."""
    chosen, baseline = found.labels[: len(SHAPES)], found.baseline
    return chosen if baseline is None or baseline in chosen else [*chosen[:-1], baseline]


def _rows(found: OverSplits, metric: str, label: str) -> list[dict[str, Any]]:
    rows = []
    for name, comparison in found.comparisons.items():
        score = comparison.row(label).scores[metric]
        low, high = ends_of(score)
        begin = [period_of_test(comparison.records[0])[0]] if found.unit == WINDOW else []
        own = {"value": score.mean, "low": low, "high": high, "interval": interval(low, high)}
        rows.append({"cell": label, "x": "\n".join([name, *begin]), "split": name, **own})
    return rows


def _chart(metric: str, splits: list[str], cells: list[str]) -> Layers:
    axis = alt.Axis(title=None, labelAngle=0, labelExpr="split(datum.label, '\\n')", labelOverlap=False)
    x = alt.X("x:O", scale=alt.Scale(domain=splits), axis=axis)
    y = alt.Y("value:Q", title=axis_title(metric))
    scale, legend = alt.Scale(domain=cells), alt.Legend(orient="top", title=None)
    base = alt.Chart(named("rows")).encode(x=x, color=alt.Color("cell:N", scale=scale, legend=legend))
    tips = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("split:N"),
        alt.Tooltip("value:Q", title=metric_name(metric), format=".4f"),
        alt.Tooltip("interval:N"),
    ]
    return alt.layer(
        base.mark_area(style="band").encode(y="low:Q", y2="high:Q"),
        base.mark_line().encode(y=y),
        base.mark_point(style="dot").encode(y=y, shape=alt.Shape("cell:N", scale=scale, legend=legend), tooltip=tips),
    ).properties(width=WIDTH, height=300)


def _grid(found: OverSplits, metric: str) -> Grid:
    dates = ["test from", "test until"] if found.unit == WINDOW else []
    rows = []
    for label in found.labels:
        for name, comparison in found.comparisons.items():
            score = comparison.row(label).scores[metric]
            ends = [Entry(date) for date in period_of_test(comparison.records[0])] if dates else []
            rows.append([Entry(label), Entry(name), *ends, *numbers([score.mean, *ends_of(score)])])
    return Grid(["cell", found.unit, *dates, metric_name(metric), "low", "high"], rows)
