"""The critical difference diagram: average ranks over several data sets, with groups of equal cells."""

from __future__ import annotations

import altair as alt

from recsys.reports.critical_difference import CriticalDifference
from recsys.reports.formatting import metric_name, p_equals
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import WIDTH, Figure, Layers, Rows, cell_axis, named, to_spec

_FIRST_GROUP, _NEXT_GROUP = 0.4, 0.25  # distances of the groups' lines to the right of the last rank, in ranks


def critical_difference_figure(found: CriticalDifference, metric: str) -> Figure:
    """Dots at the average ranks; lines join cells without significant differences among them."""
    n = len(found.labels)
    rows: Rows = [{"cell": label, "value": rank} for label, rank in zip(found.labels, found.average_ranks, strict=True)]
    groups: Rows = [
        {"first": group[0], "last": group[-1], "value": n + _FIRST_GROUP + _NEXT_GROUP * place}
        for place, group in enumerate(found.groups)
    ]
    listed = "; ".join(", ".join(group) for group in found.groups) or "none"
    return Figure(
        f"critical_difference_{metric.replace('@', '_').replace('/', '_')}",
        f"Average ranks over data sets: {metric_name(metric)}",
        f"Cells that a thick vertical line joins do not differ significantly: their average ranks are less than the "
        f"critical difference {found.critical_difference:.2f} apart (Nemenyi). Friedman's test of the hypothesis that "
        f"all cells are equal has {p_equals(found.p_permutation)}.",
        f"Average ranks of {n} cells over {found.n_datasets} data sets; {found.labels[0]} is first. "
        f"Groups without significant differences: {listed}.",
        to_spec(_chart(found), {"rows": rows, "groups": groups}),
        _grid(found),
    )


def _chart(found: CriticalDifference) -> Layers:
    n = len(found.labels)
    end = n + _FIRST_GROUP + _NEXT_GROUP * max(1, len(found.groups))
    x = alt.X(
        "value:Q",
        title=f"average rank over {found.n_datasets} data sets (1 is best)",
        scale=alt.Scale(domain=[0.8, end], nice=False),
        axis=alt.Axis(values=list(range(1, n + 1)), format="d"),
    )
    base = alt.Chart(named("rows")).encode(y=cell_axis(found.labels), x=x)
    texts = base.mark_text(style="label", align="left", dx=9).encode(text=alt.Text("value:Q", format=".2f"))
    first = cell_axis(found.labels, field="first")
    lines = alt.Chart(named("groups")).mark_rule(style="clique").encode(y=first, y2="last:N", x=x)
    return alt.layer(lines, base.mark_point(style="plain"), texts).properties(width=WIDTH, height=28 * n)


def _grid(found: CriticalDifference) -> Grid:
    by_cell = zip(found.labels, found.average_ranks, zip(*found.ranks, strict=True), strict=True)
    rows = [
        [Entry(label), *(Entry(f"{value:.2f}", value=value) for value in (rank, *own))] for label, rank, own in by_cell
    ]
    return Grid(["cell", "average rank", *found.datasets], rows)
