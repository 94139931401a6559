"""The first metric by segments of items and of users, a line for each cell."""

from __future__ import annotations

from typing import Any

import altair as alt

from recsys.reports.comparison import Comparison
from recsys.reports.formatting import interval, metric_name, number, percent
from recsys.reports.grouping import group_by
from recsys.reports.plots.base import Figure, Layers, Rows, named, panels, to_spec
from recsys.reports.plots.ranges import clipped, range_of
from recsys.reports.plots.selection import CONTEXT, selection_words, singled_out
from recsys.reports.scores import ends_of
from recsys.reports.tables import segment_scores_grid

_TITLES = {"items": "by the items' popularity", "history": "by the length of the user's history"}


def segments(comparison: Comparison) -> Figure | None:
    """The figure of the segments; None if the runs have none."""
    found = comparison.segments
    if not found.values:
        return None
    kinds = group_by(found.values, lambda name: name.partition("=")[0])
    chosen = singled_out(comparison)
    data: dict[str, Rows] = {}
    charts = []
    for place, (kind, names) in enumerate(kinds.items()):
        rows = [_row(comparison, name, row.label, chosen) for name in names for row in comparison.rows]
        data[f"rows{place}"] = clipped(rows, range_of(comparison, found.metric))
        order = list(dict.fromkeys(row["segment"] for row in data[f"rows{place}"]))
        charts.append(_panel(f"rows{place}", order, _TITLES.get(kind, kind), metric_name(found.metric), chosen))
    spec = to_spec(panels(charts, columns=2), data)
    return Figure(
        "segments",
        f"{metric_name(found.metric)} by segment",
        "Lines are means; where they cross, the order of the cells changes. In segments of items, only the segment's "
        f"items count as relevant; n is the number of queries.{_interval_words(comparison)}"
        f"{selection_words(chosen, len(comparison.rows), comparison.baseline)}",
        "; ".join(_best(comparison, name) for name in found.values) + ".",
        spec,
        segment_scores_grid(comparison),
    )


def _row(comparison: Comparison, name: str, label: str, chosen: list[str]) -> dict[str, Any]:
    size = comparison.segments.sizes[name]
    value = comparison.segments.values[name][label]
    score = comparison.segments.scores.get(name, {}).get(label)
    low, high = (None, None) if score is None else ends_of(score)
    is_drawn = label in (comparison.rows[0].label, comparison.baseline)
    return {
        "cell": label,
        "colour": label if label in chosen else CONTEXT,
        "segment": name.partition("=")[2] + ("" if size is None else f"\nn={size}"),
        "value": value,
        "text": number(value),
        "interval": interval(low, high),
        "low": low if is_drawn else None,
        "high": high if is_drawn else None,
    }


def _interval_words(comparison: Comparison) -> str:
    if not comparison.segments.scores:
        return ""
    two = len({comparison.rows[0].label, comparison.baseline} - {None}) == 2
    whose = "the first cell and the baseline" if two else "the first cell"
    return f" Vertical bars are the {percent(comparison.level)} intervals of {whose}; the table has those of all cells."


def _panel(name: str, order: list[str], title: str, metric: str, chosen: list[str]) -> Layers:
    axis = alt.Axis(title=None, labelAngle=0, labelExpr="split(datum.label, '\\n')", labelOverlap=False)
    base = alt.Chart(named(name)).encode(
        x=alt.X("segment:N", axis=axis, scale=alt.Scale(domain=order, padding=0.4)),
        y=alt.Y("value:Q", title=metric),
        detail="cell:N",
        tooltip=[alt.Tooltip("cell:N"), alt.Tooltip("segment:N"), alt.Tooltip("text:N", title=metric), "interval:N"],
    )
    others = base.transform_filter(alt.FieldEqualPredicate(field="colour", equal=CONTEXT)).mark_line(style="context")
    legend = alt.Legend(orient="top", title=None)
    scale = alt.Scale(domain=chosen)
    mine = base.transform_filter(alt.FieldOneOfPredicate(field="colour", oneOf=chosen)).encode(
        color=alt.Color("colour:N", scale=scale, legend=legend)
    )
    bars = mine.transform_filter("isValid(datum.low)").mark_rule(style="users", opacity=0.55)
    bars = bars.encode(y=alt.Y("low:Q", title=metric), y2="high:Q")
    shape = alt.Shape("colour:N", scale=scale, legend=legend)
    return alt.layer(others, bars, mine.mark_line(), mine.mark_point(style="dot").encode(shape=shape)).properties(
        title=title, height=260
    )


def _best(comparison: Comparison, name: str) -> str:
    own = {label: value for label, value in comparison.segments.values[name].items() if value == value}
    if not own:
        return f"{name} has no query"
    sign = -1 if comparison.lower_is_better(comparison.segments.metric) else 1
    best = max(own, key=lambda label: sign * own[label])
    return f"in {name} {best} is best with {number(own[best])}"
