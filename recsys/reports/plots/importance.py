"""Importance of hyperparameters in a search."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from recsys.reports.formatting import metric_name
from recsys.reports.grids import Entry, Grid
from recsys.reports.importance import Importance, rated_trials
from recsys.reports.plots.base import WIDTH, Figure, Rows, cell_axis, named, numbers, to_spec
from recsys.reports.plots.trials import file_name
from recsys.tracking.study_record import StudyCell, StudyRecord


def importance_figure(study: StudyRecord, cell: StudyCell, found: Sequence[Importance]) -> Figure:
    """The figure of shares of the variance by parameter, the largest first."""
    rows: Rows = [
        {"cell": own.parameter, "value": own.share, "low": own.low, "high": own.high, "text": f"{own.share:.0%}"}
        for own in found
    ]
    base = alt.Chart(named("rows")).encode(y=cell_axis(own.parameter for own in found))
    x = alt.X(
        "value:Q",
        title=f"share of the variance of {metric_name(study.monitor)}",
        axis=alt.Axis(format="%"),
        scale=alt.Scale(domain=[0, 1.12], nice=False),
    )
    layers = [
        base.mark_bar(style="bar", height=5, opacity=0.45).encode(x=x),
        base.mark_rule(style="plain-users").encode(x="low:Q", x2="high:Q"),
        base.mark_point(style="plain").encode(x=x),
        base.mark_text(style="label", align="left", dx=9, dy=-9).encode(x=x, text="text:N"),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH, height=34 * len(rows))
    n = len(rated_trials(cell.trials))
    return Figure(
        f"importance_{file_name(cell.label)}",
        f"Hyperparameter importance: {cell.label}",
        f"fANOVA over {n} finished trials with drawn parameters: the share of the metric's variance that each "
        "parameter explains, alone and together with others. Bars span ten resamples of the trials. Shares depend on "
        "the searched ranges.",
        f"{cell.label}: " + ", ".join(f"{own.parameter} {own.share:.0%}" for own in found) + ".",
        to_spec(chart, {"rows": rows}),
        Grid(
            ["parameter", "share", "least of ten resamples", "greatest"],
            [[Entry(own.parameter), *numbers([own.share, own.low, own.high])] for own in found],
        ),
    )
