"""Parallel coordinates: every trial of a search as a line through its parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from recsys.reports.formatting import metric_name
from recsys.reports.importance import drawn_trials, is_logarithmic, varied
from recsys.reports.plots.base import WIDTH, Figure, Layers, named, to_spec
from recsys.reports.plots.theme import OVER_LINES
from recsys.reports.plots.trials import file_name, result, trial_grid, words
from recsys.support.number_checks import is_number
from recsys.tracking.study_record import FINISHED, StudyCell, StudyRecord, Trial

_VALUE = "\0value"  # the tuned metric among the names of parameters


def parallel_figure(study: StudyRecord, cell: StudyCell) -> Figure:
    """Parallel coordinates of the trials that have a value and parameters."""
    trials = drawn_trials(cell.trials)
    names = [*varied(trials), _VALUE]
    short = _axes(names, metric_name(study.monitor))
    scales = {name: _Scale([_of(trial, name) for trial in trials]) for name in names}
    rows = [
        {
            "trial": trial.number,
            "axis": short[name],
            "position": scales[name].position(_of(trial, name)),
            "value": trial.value,
            "state": "finished" if trial.state == FINISHED else "not finished",
            "shown": words(_of(trial, name)),
        }
        for trial in sorted(trials, key=lambda trial: trial.value or 0.0, reverse=not study.higher_is_better)
        for name in names
    ]
    ticks = [
        {"axis": short[name], "position": place, "text": text} for name in names for place, text in scales[name].ticks()
    ]
    domain = [short[name] for name in names]
    spec = to_spec(
        _parallel_chart(domain, metric_name(study.monitor), study.higher_is_better), {"rows": rows, "ticks": ticks}
    )
    return Figure(
        f"parallel_{file_name(cell.label)}",
        f"Trials: {cell.label}",
        "Each line is a trial with drawn parameters, from axis to axis through its parameters. The stronger its "
        "colour, the better its value on the last axis. Dashed lines were not finished, such as pruned trials. Good "
        "settings are where strong lines meet.",
        result(cell, study) + ".",
        spec,
        trial_grid(replace(study, cells=[cell])),
        min_width=130 * len(names),
    )


def _axes(names: Sequence[str], metric: str) -> dict[str, str]:
    """The title of each axis: the last part of a key, or the whole key if two keys end alike."""
    parameters = [name for name in names if name != _VALUE]
    ends = [name.rsplit(".", 1)[-1] for name in parameters]
    alike = len({*ends, metric}) <= len(ends)
    return {**dict(zip(parameters, parameters if alike else ends, strict=True)), _VALUE: metric}


def _parallel_chart(domain: list[str], metric: str, higher_is_better: bool) -> Layers:
    x = alt.X(
        "axis:N",
        scale=alt.Scale(domain=domain),
        title=None,
        axis=alt.Axis(labelAngle=0, domain=False, ticks=False, orient="top"),
    )
    y = alt.Y("position:Q", axis=None, scale=alt.Scale(domain=[-0.02, 1.02], nice=False))
    hover = alt.selection_point(fields=["trial"], on="pointerover", nearest=True, clear="pointerout", name="pointed")
    base = alt.Chart(named("rows")).encode(x=x, y=y, detail="trial:N")
    ramp = alt.Scale(range="ramp") if higher_is_better else alt.Scale(range="ramp", reverse=True)
    colour = alt.Color("value:Q", title=metric, scale=ramp, legend=alt.Legend(orient="bottom"))
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
    texts = [ticks.mark_text(style=style, align="left", dx=6, baseline="middle") for style in OVER_LINES]
    return alt.layer(poles, lines, dots, *texts).properties(width=WIDTH, height=260)


class _Scale:
    """Maps a parameter's values to positions from 0 to 1: linear, logarithmic, or evenly spaced for texts."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._numeric = all(map(is_number, values))
        if self._numeric:
            self._log = is_logarithmic(values)
            self._low, self._high = min(values), max(values)
        else:
            self._names = sorted({words(value) for value in values})

    def position(self, value: Any) -> float:
        if not self._numeric:
            return 0.5 if len(self._names) == 1 else self._names.index(words(value)) / (len(self._names) - 1)
        if self._low == self._high:
            return 0.5
        low, high, own = (math.log(n) if self._log else n for n in (self._low, self._high, value))
        return (own - low) / (high - low)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Positions and texts of the ticks."""
        values: Sequence[Any] = self._names if not self._numeric else sorted({self._low, self._middle(), self._high})
        for value in values:
            yield self.position(value), words(value)

    def _middle(self) -> float:
        return math.sqrt(self._low * self._high) if self._log else (self._low + self._high) / 2


def _of(trial: Trial, name: str) -> Any:
    return trial.value if name == _VALUE else trial.parameters[name]
