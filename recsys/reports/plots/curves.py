"""Learning curves: validation and training loss by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import altair as alt

from recsys.reports.comparison import Comparison, Row
from recsys.reports.formatting import metric_name, number
from recsys.reports.grids import Entry, Grid
from recsys.reports.grouping import group_by
from recsys.reports.plots.base import Figure, Layers, Rows, named, panels, to_spec
from recsys.reports.plots.selection import CONTEXT, selection_words, singled_out
from recsys.schema import LOSS

_EPOCH = "epoch"
_POINTS, _CONTEXT_POINTS = 120, 30  # most points of a line; longer curves are thinned out to keep the page small


def curves(comparison: Comparison) -> Figure | None:
    """The learning curves; None if no run has a curve."""
    trained = {row.label for row in comparison.rows if any(record.curve for record in row.cell.records)}
    chosen = singled_out(comparison, trained)
    found = {name: list(_rows(comparison, name, chosen)) for name in _watched(comparison)}
    if not found:
        return None
    charts = [_panel(f"rows{place}", _title(name), chosen) for place, name in enumerate(found)]
    main, first = next(iter(found.items()))
    lower = comparison.lower_is_better(main)
    return Figure(
        "learning_curves",
        "Learning curves",
        "Lines are means over the seeds that reached an epoch, bands go from the lowest to the highest seed. More "
        "epochs may improve a cell whose curve still improves at its end."
        f"{selection_words(chosen, len(trained), comparison.baseline)}",
        f"{_title(main)} by epoch of {len({row['cell'] for row in first})} cells. "
        + "; ".join(_peak(own, lower) for own in group_by(first, lambda row: row["cell"]).values())[:1500]
        + ".",
        to_spec(panels(charts, columns=2), {f"rows{place}": rows for place, rows in enumerate(found.values())}),
        _grid(found),
    )


def _watched(comparison: Comparison) -> Iterator[str]:
    """The validation metric of the curves, preferably the compared one, and the loss."""
    keys = [key for record in comparison.records for point in record.curve for key in point]
    wanted = f"val/{comparison.metrics[0].rsplit('/', 1)[-1]}"
    validated = [key for key in dict.fromkeys(keys) if key.startswith("val/")]
    if validated:
        yield wanted if wanted in validated else validated[0]
    if LOSS in keys:
        yield LOSS


def _rows(comparison: Comparison, name: str, chosen: list[str]) -> Iterator[dict[str, Any]]:
    for row in comparison.rows:
        is_chosen = row.label in chosen
        by_epoch = _by_epoch(row, name)
        for epoch in _thinned(sorted(by_epoch), _POINTS if is_chosen else _CONTEXT_POINTS):
            values = by_epoch[epoch]
            yield {
                "cell": row.label,
                "colour": row.label if is_chosen else CONTEXT,
                "epoch": epoch,
                "value": fmean(values),
                "low": min(values),
                "high": max(values),
                "n": len(values),
            }


def _thinned(epochs: Sequence[float], most: int) -> Sequence[float]:
    """At most `most` epochs, evenly spaced backwards from the last one."""
    stride = -(-len(epochs) // most)
    return epochs[::-1][:: max(1, stride)][::-1]


def _by_epoch(row: Row, name: str) -> dict[float, list[float]]:
    """Values of all seeds by epoch, counted from 1; an epoch that not all seeds reached has fewer values."""
    points = [point for record in row.cell.records for point in record.curve if name in point]
    known = [point for point in points if point[name] == point[name]]
    by_epoch = group_by(known, lambda point: point[_EPOCH] + 1)
    return {epoch: [point[name] for point in own] for epoch, own in by_epoch.items()}


def _panel(name: str, title: str, chosen: list[str]) -> Layers:
    base = alt.Chart(named(name)).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d")),
        detail="cell:N",
    )
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    tips = [
        alt.Tooltip("cell:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("value:Q", title=title, format=".4f"),
        alt.Tooltip("n:Q", title="seeds"),
    ]
    others = base.transform_filter(alt.FieldEqualPredicate(field="colour", equal=CONTEXT))
    scale, legend = alt.Scale(domain=chosen), alt.Legend(orient="top", title=None)
    mine = base.transform_filter(alt.FieldOneOfPredicate(field="colour", oneOf=chosen)).encode(
        color=alt.Color("colour:N", scale=scale, legend=legend)
    )
    shape = alt.Shape("colour:N", scale=scale, legend=legend)
    return alt.layer(
        others.mark_line(style="context").encode(y=y),
        mine.mark_area(style="band").encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q"),
        mine.mark_line().encode(y=y),
        mine.mark_point(style="dot", size=45).encode(y=y, shape=shape, tooltip=tips),
    ).properties(title=title, height=260)


def _title(name: str) -> str:
    return "training loss" if name == LOSS else metric_name(name).replace("(val)", "on validation")


def _peak(rows: list[dict[str, Any]], lower: bool) -> str:
    sign = -1 if lower else 1
    best = max(rows, key=lambda row: sign * row["value"])
    return f"{best['cell']} is best at epoch {best['epoch']:.0f} with {number(best['value'])}"


def _grid(found: dict[str, Rows]) -> Grid:
    headers = ["cell", "what", "epoch", "mean", "lowest seed", "highest seed"]
    lines = []
    for name, rows in found.items():
        for row in rows:
            numbers = [Entry(number(row[key]), value=row[key]) for key in ("value", "low", "high")]
            lines.append(
                [Entry(row["cell"]), Entry(_title(name)), Entry(f"{row['epoch']:.0f}", value=row["epoch"]), *numbers]
            )
    return Grid(headers, lines)
