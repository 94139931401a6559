"""What accuracy goes with: coverage, novelty, diversity and popularity bias, each against the first metric."""

from __future__ import annotations

from statistics import fmean

import altair as alt

from recsys.reports.comparable import recorded_name
from recsys.reports.comparison import Comparison
from recsys.reports.formatting import metric_name, number
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import PANEL_WIDTH, Figure, Layers, Rows, named, panels, to_spec
from recsys.reports.plots.families import Families, families
from recsys.reports.plots.labelling import Canvas, add_sides, label_layers

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
    """None if the runs have no metric beyond accuracy."""
    main = comparison.metrics[0]
    values = {name: own for name in _names(comparison) if len(own := _means(comparison, name)) == len(comparison.rows)}
    if not values:
        return None
    family = families(comparison)
    data: dict[str, Rows] = {}
    for place, own in enumerate(values.values()):
        rows: Rows = [
            {
                "cell": row.label,
                "family": family.of(row),
                "other": own[row.label],
                "value": row.scores[main].mean,
                "low": row.scores[main].low,
                "high": row.scores[main].high,
            }
            for row in comparison.rows
        ]
        first = [comparison.rows[0].label, *([comparison.baseline] if comparison.baseline else [])]
        data[f"rows{place}"] = add_sides(rows, "other", "value", first, Canvas(PANEL_WIDTH, _HEIGHT))
    arrows = {name: _arrow(comparison, name) for name in values}
    charts = [
        _panel(f"rows{place}", name, main, family, data[f"rows{place}"]).properties(title=arrows[name])
        for place, name in enumerate(values)
    ]
    return Figure(
        "tradeoffs",
        f"{metric_name(main)} and other metrics",
        "One dot for each cell; the arrow in a panel's title points to its better side, so the best corner is at "
        "the top on "
        f"that side. Bars are {comparison.level:.0%} intervals of {metric_name(main)} over users.",
        "; ".join(_extremes(comparison, name, own) for name, own in values.items()) + ".",
        to_spec(panels(charts, columns=2), data),
        _grid(comparison, values),
    )


def _names(comparison: Comparison) -> list[str]:
    """Names of the test as in "coverage@10": of each kind the one with the first metric's cut-off, else the first."""
    known = [name.removeprefix("test/") for name in comparison.records[0].metrics if name.startswith("test/")]
    cut = comparison.metrics[0].partition("@")[2]
    found = []
    for kind in _OTHERS:
        own = [name for name in known if name.partition("@")[0] == kind and name != comparison.metrics[0]]
        found += [name for name in own if name.partition("@")[2] == cut][:1] or own[:1]
    return found


def _means(comparison: Comparison, name: str) -> dict[str, float]:
    """Over seeds, by label; without the cells that have no value."""
    found = {
        row.label: fmean(record.metrics.get(recorded_name(name), float("nan")) for record in row.cell.records)
        for row in comparison.rows
    }
    return {label: value for label, value in found.items() if value == value}


def _panel(data: str, name: str, main: str, family: Families, rows: Rows) -> Layers:
    base_name = name.partition("@")[0]
    x = alt.X(
        "other:Q",
        title=f"{metric_name(name)} ({_UNITS[base_name]})",
        scale=alt.Scale(zero=False, padding=14),
        axis=alt.Axis(tickCount=4),
    )
    y = alt.Y("value:Q", title=metric_name(main), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    base = alt.Chart(named(data)).encode(x=x)
    tips = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("value:Q", title=metric_name(main), format=".4f"),
        alt.Tooltip("other:Q", title=metric_name(name), format=".4f"),
    ]
    bars = base.mark_rule(strokeWidth=1.5, opacity=0.5).encode(y="low:Q", y2="high:Q", color=family.colour())
    dots = base.mark_point(style="dot").encode(y=y, color=family.colour(), shape=family.shape(), tooltip=tips)
    return alt.layer(bars, dots, *label_layers(base.encode(y=y, text="cell:N"), rows)).properties(height=_HEIGHT)


def _arrow(comparison: Comparison, name: str) -> str:
    """A metric's name with an arrow to its better side."""
    return f"← {metric_name(name)}" if comparison.lower_is_better(name) else f"{metric_name(name)} →"


def _extremes(comparison: Comparison, name: str, own: dict[str, float]) -> str:
    sign = -1 if comparison.lower_is_better(name) else 1
    best = max(own, key=lambda label: sign * own[label])
    leader = comparison.rows[0].label
    return (
        f"the best {metric_name(name)} has {best} with {number(own[best])}, while {leader}, first by "
        f"{metric_name(comparison.metrics[0])}, has {number(own[leader])}"
    )


def _grid(comparison: Comparison, values: dict[str, dict[str, float]]) -> Grid:
    main = comparison.metrics[0]
    lines = []
    for row in comparison.rows:
        numbers = [row.scores[main].mean, *(own[row.label] for own in values.values())]
        lines.append([Entry(row.label), *(Entry(number(value), value=value) for value in numbers)])
    return Grid(["cell", metric_name(main), *map(metric_name, values)], lines)
