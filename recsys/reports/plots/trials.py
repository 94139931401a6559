"""Trials of a search as data of figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import gt, lt
from typing import Any

from recsys.reports.formatting import counted, metric_name, number, seconds
from recsys.reports.grids import Entry, Grid
from recsys.support.number_checks import is_number
from recsys.tracking.study_record import FINISHED, PRUNED, StudyCell, StudyRecord


def trial_grid(study: StudyRecord) -> Grid:
    """A table of all trials of a study."""
    names = list(dict.fromkeys(name for cell in study.cells for trial in cell.trials for name in trial.parameters))
    has_cost = any(trial.cost is not None for cell in study.cells for trial in cell.trials)
    columns = [metric_name(study.monitor), *(["cost"] if has_cost else []), "time"]
    headers = ["cell", "trial", "state", *columns, *names]
    rows = []
    for cell in study.cells:
        for trial in cell.trials:
            measured = [Entry(number(trial.value), value=trial.value)]
            measured += [Entry(number(trial.cost), value=trial.cost)] if has_cost else []
            measured.append(Entry(seconds(trial.seconds), value=trial.seconds))
            parameters = [_entry(trial.parameters.get(name, "")) for name in names]
            first = [Entry(cell.label), Entry(str(trial.number), value=float(trial.number)), Entry(trial.state)]
            rows.append([*first, *measured, *parameters])
    return Grid(headers, rows)


def best_so_far(cell: StudyCell, higher_is_better: bool) -> Iterator[dict[str, Any]]:
    """Trials with a value, in order, each with the best value of a finished trial so far."""
    best: float | None = None
    better = gt if higher_is_better else lt
    for trial in sorted(cell.trials, key=lambda trial: trial.number):
        if trial.value is None:
            continue
        if trial.state == FINISHED and (best is None or better(trial.value, best)):
            best = trial.value
        yield {
            "cell": cell.label,
            "number": trial.number,
            "value": trial.value,
            "best": best,
            "state": trial.state,
            "text": number(trial.value),
        }


def result(cell: StudyCell, study: StudyRecord) -> str:
    """The result of a cell's search, as part of a sentence."""
    n_pruned = sum(trial.state == PRUNED for trial in cell.trials)
    last = [row["best"] for row in best_so_far(cell, study.higher_is_better) if row["best"] is not None]
    best = number(last[-1]) if last else "no finished trial"
    chosen = ", ".join(f"{name} {words(value)}" for name, value in cell.parameters.items())
    trials = f"{counted(len(cell.trials), 'trial')}, {n_pruned} of them pruned"
    return f"{cell.label}: {trials}, best {metric_name(study.monitor)} {best}{f' with {chosen}' if chosen else ''}"


def words(value: Any) -> str:
    """A parameter's value as text in a figure."""
    return f"{value:.3g}" if isinstance(value, float) else "null" if value is None else str(value)


def _entry(value: Any) -> Entry:
    return Entry(words(value), value=float(value) if is_number(value) else None)


def file_name(label: str) -> str:
    """A label as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_") or "cell"
