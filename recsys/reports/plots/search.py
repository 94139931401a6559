"""Figures of a hyperparameter search: best value by trial, importances and all trials."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from recsys.reports.formatting import metric_name
from recsys.reports.importance import drawn_trials, importances, varied
from recsys.reports.plots.base import WIDTH, Figure, and_more, named, to_spec
from recsys.reports.plots.importance import importance_figure
from recsys.reports.plots.parallel import parallel_figure
from recsys.reports.plots.trials import best_so_far, result, trial_grid
from recsys.schema import ComparisonError
from recsys.tracking.study_record import StudyCell, StudyRecord

MOST_CELLS = 6  # most cells with their own figures


def search_figures(study: StudyRecord, labels: Sequence[str]) -> tuple[list[Figure], list[str]]:
    """Figures of the tuned cells, and sentences on figures that could not be drawn.

    Args:
        study: The study, all of whose cells are among the labels.
        labels: Labels of the compared cells, in the order in which they are drawn.
    """
    tuned = sorted(
        (cell for cell in study.cells if cell.trials),
        key=lambda cell: labels.index(cell.label),
    )
    if not tuned:
        return [], []
    figures, notes = [_history(study, tuned)], []
    if len(tuned) > MOST_CELLS:
        notes.append(f"{MOST_CELLS} of {len(tuned)} tuned cells have figures; the table of trials has all cells.")
    for cell in tuned[:MOST_CELLS]:
        try:
            figures.append(importance_figure(study, cell, importances(cell.trials)))
        except ComparisonError as error:
            notes.append(f"No importances for {cell.label}: {error}")
        if varied(drawn_trials(cell.trials)):
            figures.append(parallel_figure(study, cell))
    return figures, notes


def _history(study: StudyRecord, tuned: Sequence[StudyCell]) -> Figure:
    shown = tuned[:MOST_CELLS]
    rows = [row for cell in shown for row in best_so_far(cell, study.higher_is_better)]
    x = alt.X("number:Q", title="trial", axis=alt.Axis(tickMinStep=1, format="d"))
    labels = [cell.label for cell in shown]
    legend = alt.Legend(orient="top", title=None)
    colour = alt.Color("cell:N", scale=alt.Scale(domain=labels), legend=legend)
    shape = alt.Shape("cell:N", scale=alt.Scale(domain=labels), legend=legend)
    base = alt.Chart(named("rows")).encode(x=x, color=colour)
    y = alt.Y("value:Q", title=metric_name(study.monitor), scale=alt.Scale(zero=False))
    tips = [alt.Tooltip("cell:N"), alt.Tooltip("number:Q", title="trial"), alt.Tooltip("text:N", title="value")]
    line = base.mark_line(interpolate="step-after").encode(y=alt.Y("best:Q", scale=alt.Scale(zero=False)))
    dots = base.mark_point(style="dot", size=45).encode(y=y, shape=shape, tooltip=[*tips, alt.Tooltip("state:N")])
    chart = alt.layer(line, dots).properties(width=WIDTH, height=260)
    return Figure(
        "search_history",
        "Course of the search",
        "Dots are trials (a pruned one at its last value), lines the best finished trial so far. More trials may "
        f"improve a cell whose line still improves at its end.{and_more(len(tuned), len(shown))}",
        "; ".join(result(cell, study) for cell in shown) + ".",
        to_spec(chart, {"rows": rows}),
        trial_grid(study),
    )
