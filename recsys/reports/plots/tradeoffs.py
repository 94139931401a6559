"""The first metric against others: metrics beyond accuracy, such as coverage, and the report's further metrics."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import altair as alt

from recsys.reports.comparable import recorded_name
from recsys.reports.comparison import Comparison, Row
from recsys.reports.formatting import metric_name, number, percent
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import PANEL_WIDTH, Figure, Layers, Rows, named, numbers, panels, to_spec
from recsys.reports.plots.families import Families, families
from recsys.reports.plots.labelling import Canvas, add_sides, label_layers
from recsys.reports.plots.ranges import clipped, metric_scale, range_of
from recsys.reports.scores import Limits, Score, limited

_OTHERS = ("coverage", "novelty", "diversity", "average_popularity", "gini")
_UNITS = {
    "coverage": "share of the catalogue",
    "novelty": "bits",
    "diversity": "1 − mean cosine",
    "average_popularity": "interactions",
    "gini": "0 equal, 1 one item",
}
_HEIGHT = 210


def tradeoffs(comparison: Comparison) -> Figure | None:
    """The first metric against coverage, novelty and others; None if the runs have no metric beyond accuracy."""
    values = {name: _means(comparison, name) for name in _names(comparison)}
    return _figure(comparison, "tradeoffs", f"{metric_name(comparison.metrics[0])} and other metrics", values)


def metric_pairs(comparison: Comparison) -> Figure | None:
    """The first metric against each further one of the report; None if `tradeoffs` has all of them."""
    names = [name for name in comparison.metrics[1:] if name not in _names(comparison)]
    values = {name: {row.label: row.scores[name] for row in comparison.rows} for name in names}
    title = f"{metric_name(comparison.metrics[0])} against the report's other metrics"
    return _figure(comparison, "metric_pairs", title, values)


def _figure(comparison: Comparison, file: str, title: str, values: dict[str, dict[str, Score]]) -> Figure | None:
    """A figure with a panel for each metric that all cells have; `values` are by metric and label."""
    main, family = comparison.metrics[0], families(comparison)
    values = {name: own for name, own in values.items() if len(own) == len(comparison.rows)}
    if not values:
        return None
    first = [comparison.rows[0].label, *([comparison.baseline] if comparison.baseline else [])]
    data, charts = {}, []
    for place, (name, own) in enumerate(values.items()):
        limits = range_of(comparison, name)
        rows = clipped((_row(row, main, own[row.label], family) for row in comparison.rows), range_of(comparison, main))
        rows = [{**row, **{key: limited(row[key], limits) for key in ("other_low", "other_high")}} for row in rows]
        data[f"rows{place}"] = add_sides(rows, "other", "value", first, Canvas(PANEL_WIDTH, _HEIGHT))
        panel = _panel(f"rows{place}", name, main, family, data[f"rows{place}"], limits)
        charts.append(panel.properties(title=_arrow(comparison, name)))
    both = "" if file == "tradeoffs" else " and of the other metric"
    return Figure(
        file,
        title,
        "One dot for each cell; the arrow in a panel's title points to its better side, so the best corner is at "
        f"{'the bottom' if comparison.lower_is_better(main) else 'the top'} on that side. "
        f"Bars are {percent(comparison.level)} intervals of {metric_name(main)}{both} over users.",
        "; ".join(_extremes(comparison, name, own) for name, own in values.items()) + ".",
        to_spec(panels(charts, columns=2), data),
        _grid(comparison, values),
    )


def _row(row: Row, main: str, other: Score, family: Families) -> dict[str, Any]:
    score = row.scores[main]
    return {
        "cell": row.label,
        "family": family.of(row),
        "other": other.mean,
        "other_low": other.low,
        "other_high": other.high,
        "value": score.mean,
        "low": score.low,
        "high": score.high,
    }


def _names(comparison: Comparison) -> list[str]:
    """Test metrics beyond accuracy: of each kind the one with the first metric's cut-off, otherwise the first one."""
    known = [name.removeprefix("test/") for name in comparison.records[0].metrics if name.startswith("test/")]
    cut = comparison.metrics[0].partition("@")[2]
    found = []
    for kind in _OTHERS:
        own = [name for name in known if name.partition("@")[0] == kind and name != comparison.metrics[0]]
        found += [name for name in own if name.partition("@")[2] == cut][:1] or own[:1]
    return found


def _means(comparison: Comparison, name: str) -> dict[str, Score]:
    """Means over seeds by label, without the cells that have no value."""
    found = {
        row.label: fmean(record.metrics.get(recorded_name(name), float("nan")) for record in row.cell.records)
        for row in comparison.rows
    }
    return {label: Score(value) for label, value in found.items() if value == value}


def _panel(data: str, name: str, main: str, family: Families, rows: Rows, limits: Limits) -> Layers:
    unit = f" ({_UNITS[kind]})" if (kind := name.partition("@")[0]) in _UNITS else ""
    drawn = [row[key] for row in rows for key in ("other", "other_low", "other_high")]
    scale = metric_scale(limits, drawn, padding=14)
    x = alt.X("other:Q", title=f"{metric_name(name)}{unit}", scale=scale, axis=alt.Axis(tickCount=4))
    y = alt.Y("value:Q", title=metric_name(main), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart(named(data)).encode(x=x)
    tips = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("value:Q", title=metric_name(main), format=".4f"),
        alt.Tooltip("other:Q", title=metric_name(name), format=".4f"),
    ]
    bars = [base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(y="low:Q", y2="high:Q", color=family.colour())]
    if any(row["other_low"] is not None for row in rows):
        across = alt.Chart(named(data)).mark_rule(strokeWidth=1.5, opacity=0.5)
        bars.append(across.encode(x=alt.X("other_low:Q", scale=scale), x2="other_high:Q", y=y, color=family.colour()))
    dots = base.mark_point(style="dot").encode(y=y, color=family.colour(), shape=family.shape(), tooltip=tips)
    return alt.layer(*bars, dots, *label_layers(base.encode(y=y, text="cell:N"), rows)).properties(height=_HEIGHT)


def _arrow(comparison: Comparison, name: str) -> str:
    """A metric's name with an arrow to the side of better values."""
    return f"← {metric_name(name)}" if comparison.lower_is_better(name) else f"{metric_name(name)} →"


def _extremes(comparison: Comparison, name: str, own: dict[str, Score]) -> str:
    sign = -1 if comparison.lower_is_better(name) else 1
    best = max(own, key=lambda label: sign * own[label].mean)
    leader = comparison.rows[0].label
    if own[best].mean == own[leader].mean:
        return f"{leader} has the best {metric_name(name)} too, {number(own[leader].mean)}"
    return (
        f"{best} has the best {metric_name(name)} with {number(own[best].mean)}, while {leader}, first by "
        f"{metric_name(comparison.metrics[0])}, has {number(own[leader].mean)}"
    )


def _grid(comparison: Comparison, values: dict[str, dict[str, Score]]) -> Grid:
    """A table of all metrics, with intervals for those with values per user."""
    main = comparison.metrics[0]
    columns = {main: {row.label: row.scores[main] for row in comparison.rows}, **values}
    headers, lines = ["cell"], [[Entry(row.label)] for row in comparison.rows]
    for name, own in columns.items():
        ends = ["low", "high"] if any(score.low is not None for score in own.values()) else []
        headers += [metric_name(name), *(f"{metric_name(name)} {end}" for end in ends)]
        for line, score in zip(lines, own.values(), strict=True):
            line += numbers([score.mean, score.low, score.high][: 1 + len(ends)])
    return Grid(headers, lines)
