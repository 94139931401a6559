"""A forest plot: differences from one cell with their intervals, and a line at zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import altair as alt

from recsys.reports.formatting import counted, interval, metric_name, number, p_value, percent
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import MOST_ROWS, WIDTH, Figure, Layers, and_more, cell_axis, named, numbers, to_spec
from recsys.reports.plots.theme import OVER_LINES
from recsys.reports.statistics import PairedDifference


@dataclass(frozen=True)
class Forest:
    """Differences from a reference cell, with the texts of their figure."""

    name: str
    title: str
    reference: str
    metric: str
    differences: dict[str, PairedDifference]
    significant: set[str]
    family: str
    lower_is_better: bool = False


def forest(plan: Forest, level: float) -> Figure:
    """The forest plot of differences from one cell; `level` is that of the intervals."""
    rows = [
        {**_difference_row(label, own), "judgement": _judgement(own, label in plan.significant, plan.lower_is_better)}
        for label, own in list(plan.differences.items())[:MOST_ROWS]
    ]
    n_clear = len(plan.significant & set(plan.differences))
    return Figure(
        plan.name,
        plan.title,
        f"Bars are {percent(level)} intervals of the paired difference over users (thin: over users and seeds). Cells "
        f"left of the dashed line have a lower value than {plan.reference}. A triangle marks a significant difference, "
        f"corrected for {plan.family}.{and_more(len(plan.differences), len(rows))}",
        f"{counted(len(plan.differences), 'difference')} from {plan.reference}, {n_clear} of them significant: "
        + "; ".join(f"{row['cell']} {row['text']}" for row in rows[:12])
        + ".",
        to_spec(_chart(plan, [row["cell"] for row in rows]), {"rows": rows, "zero": [{"value": 0}]}),
        _difference_grid(plan.differences),
    )


def _chart(plan: Forest, labels: list[str]) -> Layers:
    title = f"difference in {metric_name(plan.metric)} from {plan.reference}"
    x = alt.X("value:Q", title=title, scale=alt.Scale(padding=30, nice=False))
    base = alt.Chart(named("rows")).encode(y=cell_axis(labels))
    shape = alt.Shape(
        "judgement:N",
        title=None,
        scale=alt.Scale(
            domain=["better", "not significant", "worse"], range=["triangle-up", "circle", "triangle-down"]
        ),
        legend=alt.Legend(orient="top", symbolFillColor="gray", symbolStrokeColor="gray"),
    )
    tips = [alt.Tooltip("cell:N"), alt.Tooltip("text:N", title="difference"), alt.Tooltip("p:N", title="p (corrected)")]
    return alt.layer(
        alt.Chart(named("zero")).mark_rule(style="reference").encode(x="value:Q"),
        base.mark_rule(style="plain-seeds").encode(x="low_with_seeds:Q", x2="high_with_seeds:Q"),
        base.mark_rule(style="plain-users").encode(x="low:Q", x2="high:Q"),
        base.mark_point(style="plain").encode(x=x, shape=shape, tooltip=tips),
        *(base.mark_text(style=style, dy=-12).encode(x="value:Q", text="short:N") for style in OVER_LINES),
    ).properties(width=WIDTH, height=36 * len(labels))


def _difference_row(label: str, own: PairedDifference) -> dict[str, Any]:
    return {
        "cell": label,
        "value": own.mean,
        "low": own.low,
        "high": own.high,
        "low_with_seeds": own.low_with_seeds,
        "high_with_seeds": own.high_with_seeds,
        "short": number(own.mean, signed=True),
        "text": f"{number(own.mean, signed=True)} {interval(own.low, own.high, signed=True)}",
        "p": p_value(own.p_corrected),
    }


def _judgement(own: PairedDifference, is_significant: bool, lower_is_better: bool) -> str:
    if not is_significant:
        return "not significant"
    return "better" if (own.mean > 0) is not lower_is_better else "worse"


def _difference_grid(differences: dict[str, PairedDifference]) -> Grid:
    headers = ["cell", "difference", "low", "high", "low with seeds", "high with seeds", "p (corrected)", "d"]
    rows = []
    for label, own in differences.items():
        ends = [own.mean, own.low, own.high, own.low_with_seeds, own.high_with_seeds]
        p = Entry(p_value(own.p_corrected), value=own.p_corrected)
        rows.append([Entry(label), *numbers(ends), p, *numbers([own.effect_size])])
    return Grid(headers, rows)
