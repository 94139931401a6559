"""A search over hyperparameters: which mattered, how it went, and every trial as a line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt

from recsys.reports.formatting import metric_name, number, seconds
from recsys.reports.importance import Importance, importances, is_logarithmic, is_number, varied
from recsys.reports.plots.base import WIDTH, Figure, Rows, and_more, cell_axis, named, to_spec
from recsys.reports.tables import Entry, Grid
from recsys.schema import ComparisonError
from recsys.tracking.study_record import FINISHED, PRUNED, StudyCell, StudyRecord, Trial

MOST_CELLS = 6  # that have figures of their own


def search_figures(study: StudyRecord, labels: Sequence[str]) -> tuple[list[Figure], list[str]]:
    """Figures of the tuned cells, in the order of `labels`, and sentences on what could not be drawn."""
    tuned = sorted(
        (cell for cell in study.cells if cell.trials),
        key=lambda cell: labels.index(cell.label) if cell.label in labels else len(labels),
    )
    if not tuned:
        return [], []
    figures, notes = [_history(study, tuned)], []
    if len(tuned) > MOST_CELLS:
        notes.append(
            f"{MOST_CELLS} of {len(tuned)} tuned cells have figures of their own; the table of trials has all of them."
        )
    for cell in tuned[:MOST_CELLS]:
        try:
            figures.append(_importance(study, cell, importances(cell.trials)))
        except ComparisonError as error:
            notes.append(f"No importances for {cell.label}: {error}")
        if varied([trial for trial in cell.trials if trial.value is not None]):
            figures.append(_parallel(study, cell))
    return figures, notes


def trial_grid(study: StudyRecord) -> Grid:
    """All trials of a study."""
    names = list(dict.fromkeys(name for cell in study.cells for trial in cell.trials for name in trial.parameters))
    headers = ["cell", "trial", "state", metric_name(study.monitor), "time", *names]
    rows = []
    for cell in study.cells:
        for trial in cell.trials:
            value, time = (
                Entry(number(trial.value), value=trial.value),
                Entry(seconds(trial.seconds), value=trial.seconds),
            )
            parameters = [_entry(trial.parameters.get(name, "")) for name in names]
            number_ = Entry(str(trial.number), value=float(trial.number))
            rows.append([Entry(cell.label), number_, Entry(trial.state), value, time, *parameters])
    return Grid(headers, rows)


def _history(study: StudyRecord, tuned: Sequence[StudyCell]) -> Figure:
    shown = tuned[:MOST_CELLS]
    rows = [row for cell in shown for row in _best_so_far(cell, study.monitor)]
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
        "Dots are trials (a pruned one at its last value), lines the best finished one so far: a line that still climbs at its "
        f"end would gain from more trials.{and_more(len(tuned), len(shown))}",
        "; ".join(_result(cell, study.monitor) for cell in shown) + ".",
        to_spec(chart, {"rows": rows}),
        trial_grid(study),
    )


def _importance(study: StudyRecord, cell: StudyCell, found: Sequence[Importance]) -> Figure:
    rows: Rows = [
        {"cell": own.parameter, "value": own.share, "low": own.low, "high": own.high, "text": f"{own.share:.0%}"}
        for own in found
    ]
    base = alt.Chart(named("rows")).encode(y=cell_axis())
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
    n = sum(trial.state == FINISHED for trial in cell.trials)
    return Figure(
        f"importance_{_file_name(cell.label)}",
        f"Hyperparameter importance: {cell.label}",
        f"fANOVA over {n} finished trials: how much of the metric's variance each parameter explains, alone and together with "
        "others; bars span ten resamples of the trials. It depends on the ranges that were searched.",
        f"{cell.label}: " + ", ".join(f"{own.parameter} {own.share:.0%}" for own in found) + ".",
        to_spec(chart, {"rows": rows}),
        Grid(
            ["parameter", "share", "least of ten resamples", "greatest"],
            [
                [Entry(own.parameter), *(Entry(number(value), value=value) for value in (own.share, own.low, own.high))]
                for own in found
            ],
        ),
    )


def _parallel(study: StudyRecord, cell: StudyCell) -> Figure:
    trials = [trial for trial in cell.trials if trial.value is not None]
    names = [*varied(trials), _VALUE]
    short = {name: name.rsplit(".", 1)[-1] if name != _VALUE else metric_name(study.monitor) for name in names}
    short = short if len(set(short.values())) == len(short) else {name: name for name in names}
    scales = {name: _Scale([_of(trial, name) for trial in trials]) for name in names}
    rows = [
        {
            "trial": trial.number,
            "axis": short[name],
            "position": scales[name].position(_of(trial, name)),
            "value": trial.value,
            "state": "finished" if trial.state == FINISHED else "not finished",
            "shown": f"{_words(_of(trial, name))}",
        }
        for trial in sorted(trials, key=lambda trial: trial.value or 0.0)
        for name in names
    ]
    ticks = [
        {"axis": short[name], "position": place, "text": text} for name in names for place, text in scales[name].ticks()
    ]
    domain = [short[name] for name in names]
    spec = to_spec(_parallel_chart(domain, metric_name(study.monitor)), {"rows": rows, "ticks": ticks})
    return Figure(
        f"parallel_{_file_name(cell.label)}",
        f"All trials: {cell.label}",
        "Each line is a trial, from axis to axis through its parameters; the stronger its colour, the greater its value on the "
        "last axis. Dashed lines were pruned. Where strong lines come together is where the search found good settings.",
        _result(cell, study.monitor) + ".",
        spec,
        trial_grid(StudyRecord(**{**study.__dict__, "cells": [cell]})),
        min_width=130 * len(names),
    )


_VALUE = "\0value"  # stands for the tuned metric among the names of parameters


def _parallel_chart(domain: list[str], metric: str) -> alt.LayerChart:
    x = alt.X("axis:N", sort=domain, title=None, axis=alt.Axis(labelAngle=0, domain=False, ticks=False, orient="top"))
    y = alt.Y("position:Q", axis=None, scale=alt.Scale(domain=[-0.02, 1.02], nice=False))
    hover = alt.selection_point(fields=["trial"], on="pointerover", nearest=True, clear="pointerout", name="pointed")
    base = alt.Chart(named("rows")).encode(x=x, y=y, detail="trial:N")
    colour = alt.Color("value:Q", title=metric, scale=alt.Scale(range="ramp"), legend=alt.Legend(orient="bottom"))
    dash = alt.StrokeDash(
        "state:N", scale=alt.Scale(domain=["finished", "not finished"], range=[[1, 0], [4, 4]]), legend=None
    )
    lines = base.mark_line(opacity=0.9).encode(
        color=colour,
        strokeDash=dash,
        strokeWidth=alt.when(hover, empty=False).then(alt.value(4)).otherwise(alt.value(1.8)),
    )
    tips = [
        alt.Tooltip("trial:Q"),
        alt.Tooltip("shown:N", title="here"),
        alt.Tooltip("value:Q", title=metric, format=".4f"),
    ]
    dots = base.mark_point(filled=True, size=60, opacity=0.01).encode(tooltip=tips).add_params(hover)
    poles = alt.Chart(named("rows")).mark_rule(style="pole").encode(x=x)
    ticks = alt.Chart(named("ticks")).encode(x=x, y=y, text="text:N")
    texts = [ticks.mark_text(style=style, align="left", dx=6, baseline="middle") for style in ("halo", "label")]
    return alt.layer(poles, lines, dots, *texts).properties(width=WIDTH, height=260)


class _Scale:
    """From a parameter's values to positions between 0 and 1: linear, logarithmic, or words at equal distances."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._numeric = all(map(is_number, values))
        if self._numeric:
            self._log = is_logarithmic(values)
            self._low, self._high = min(values), max(values)
        else:
            self._words = sorted({_words(value) for value in values})

    def position(self, value: Any) -> float:
        if not self._numeric:
            return 0.5 if len(self._words) == 1 else self._words.index(_words(value)) / (len(self._words) - 1)
        if self._low == self._high:
            return 0.5
        low, high, own = (math.log(n) if self._log else n for n in (self._low, self._high, value))
        return (own - low) / (high - low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Positions and texts."""
        values: Sequence[Any] = self._words if not self._numeric else sorted({self._low, self._middle(), self._high})
        for value in values:
            yield self.position(value), _words(value)

    def _middle(self) -> float:
        return math.sqrt(self._low * self._high) if self._log else (self._low + self._high) / 2


def _best_so_far(cell: StudyCell, monitor: str) -> Iterator[dict[str, Any]]:
    from recsys.reports.comparison import lower_is_better

    sign = -1 if lower_is_better(monitor) or monitor.endswith("loss") else 1
    best: float | None = None
    for trial in sorted(cell.trials, key=lambda trial: trial.number):
        if trial.value is None:
            continue
        if trial.state == FINISHED and (best is None or sign * trial.value > sign * best):
            best = trial.value
        yield {
            "cell": cell.label,
            "number": trial.number,
            "value": trial.value,
            "best": best,
            "state": trial.state,
            "text": number(trial.value),
        }


def _result(cell: StudyCell, monitor: str) -> str:
    n_pruned = sum(trial.state == PRUNED for trial in cell.trials)
    last = [row["best"] for row in _best_so_far(cell, monitor) if row["best"] is not None]
    best = number(last[-1]) if last else "no finished trial"
    chosen = ", ".join(f"{name} {_words(value)}" for name, value in cell.parameters.items())
    return (
        f"{cell.label}: {len(cell.trials)} trials, {n_pruned} of them pruned, best {metric_name(monitor)} {best}"
        f"{f' with {chosen}' if chosen else ''}"
    )


def _of(trial: Trial, name: str) -> Any:
    return trial.value if name == _VALUE else trial.parameters[name]


def _words(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "null" if value is None else str(value)


def _entry(value: Any) -> Entry:
    return Entry(_words(value), value=float(value) if is_number(value) else None)


def _file_name(label: str) -> str:
    """A label as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_") or "cell"
