"""Summary of a study's search, with warnings about chance: best trials, their mean, values at ends of ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from recsys.reports.formatting import metric_name, number, seconds
from recsys.reports.grids import Entry, Grid
from recsys.tracking.study_record import FINISHED, PRUNED, TRIAL_FAILED, StudyCell, StudyRecord, Trial, failed_trials

TOP = 5  # number of best trials whose mean is compared with the best one
FAR = 0.1  # largest difference between them without a warning, relative to the mean
END = 0.05  # share of a range, at each side, that counts as its end
LEAST_CHOICES = 3  # of two numbers each one is an end

RANDOM = (
    "A search is itself random: with another seed it may choose other settings. The intervals and tests of this report "
    "cover users and seeds, but not the search."
)
SUMMARY_NOTE = (
    f"Each cell's best trial on the validation part, and the mean of its best {TOP} trials, or of all if there are "
    "fewer. The value of the best of many trials is optimistic, since it is partly chance."
)


def summary_grid(study: StudyRecord) -> Grid:
    """A table of each tuned cell's trials, best value, mean of the best values, and parameters at an end of a range."""
    metric = metric_name(study.monitor)
    rows, numbers_of_best = [], set()
    for cell in _tuned(study):
        top = top_trials(cell, study.higher_is_better)
        values = [trial.value for trial in top if trial.value is not None]
        counts = [sum(trial.state == state for trial in cell.trials) for state in (PRUNED, TRIAL_FAILED)]
        numbers_of_best.add(len(values))
        means = [values[0], fmean(values)] if values else [None, None]
        row = [Entry(cell.label), *(Entry(str(n), value=float(n)) for n in (len(cell.trials), *counts))]
        spent = sum(trial.seconds or 0.0 for trial in cell.trials)
        row += [Entry(seconds(spent), value=spent), *(Entry(number(mean), value=mean) for mean in means)]
        rows.append([*row, Entry("; ".join(at_ends(cell)))])
    best = str(*numbers_of_best) if len(numbers_of_best) == 1 else f"{TOP} or fewer"
    return Grid(
        ["cell", "trials", "pruned", "failed", "time", f"best {metric}", f"mean of best {best}", "at an end"], rows
    )


def search_notes(study: StudyRecord) -> list[str]:
    """Sentences about the search as a whole, then about cells with a warning."""
    tuned = _tuned(study)
    lucky = [note for cell in tuned if (note := _lucky(cell, study.higher_is_better)) is not None]
    ends = [
        f"{cell.label}: the best value of {end} is at the end of its range." for cell in tuned for end in at_ends(cell)
    ]
    failed = [
        f"{cell.label}: of its {len(cell.trials)} trials {told}, so its search was smaller than those of other cells."
        for cell in tuned
        if (told := failed_trials(cell.trials)) is not None
    ]
    return [*([RANDOM] if tuned else []), *failed, *lucky, *ends, *_left_out(study)]


def top_trials(cell: StudyCell, higher_is_better: bool = True, n: int = TOP) -> list[Trial]:
    """The `n` best finished trials of a cell, the best one first."""
    finished = [trial for trial in cell.trials if trial.state == FINISHED and trial.value is not None]
    sign = -1 if higher_is_better else 1
    return sorted(finished, key=lambda trial: (sign * (trial.value or 0.0), trial.number))[:n]


def at_ends(cell: StudyCell) -> list[str]:
    """Texts about chosen values at an end: within 5 % of that of a range, or the least or greatest of three numbers.

    Distances are on a log scale for log ranges. Choices that are no numbers have no end.

    Example:
        >>> space = {"lr": {"low": 0.001, "high": 0.1, "log": True}, "dim": {"choice": [8, 16, 32]}}
        >>> at_ends(StudyCell("a", "grid", [], parameters={"lr": "0.0012", "dim": "8"}, space=space))
        ['lr = 0.0012 (0.001 to 0.1)', 'dim = 8 (8 to 32)']
    """
    ends = {key: _ends(cell.space.get(key, {})) for key in cell.parameters}
    return [
        f"{key} = {number_or_text(cell.parameters[key])} ({own['low']} to {own['high']})"
        for key, own in ends.items()
        if own is not None and _is_at_end(float(cell.parameters[key]), own)
    ]


def _ends(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The entry of a range, or that from the least to the greatest of three or more numbers; None for other entries."""
    if "low" in entry:
        return entry
    choice = entry.get("choice", [])
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in choice):
        return None
    if len(set(choice)) < LEAST_CHOICES:
        return None
    return {"low": min(choice), "high": max(choice), "choice": choice}


def number_or_text(value: Any) -> str:
    """A number with three significant digits; any other value as text."""
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return str(value)


def _is_at_end(value: float, entry: Mapping[str, Any]) -> bool:
    if "choice" in entry:
        return value in (entry["low"], entry["high"])
    low, value, high = (math.log(x) if entry.get("log") else x for x in (entry["low"], value, entry["high"]))
    return not END < (value - low) / (high - low) < 1 - END


def _lucky(cell: StudyCell, higher_is_better: bool) -> str | None:
    values = [trial.value for trial in top_trials(cell, higher_is_better) if trial.value is not None]
    if len(values) < 2 or abs(values[0] - fmean(values)) <= FAR * abs(fmean(values)):
        return None
    return (
        f"{cell.label}: the best of its {len(cell.trials)} trials ({number(values[0])}) is far from the mean of its "
        f"best {len(values)} ({number(fmean(values))}), so it may be best by chance."
    )


def _left_out(study: StudyRecord) -> Iterator[str]:
    for cell in study.cells:
        if cell.left_out:
            listed = "; ".join(f"{key} ({reason})" for key, reason in cell.left_out.items())
            yield f"{cell.label}: declared keys that were not searched: {listed}."


def _tuned(study: StudyRecord) -> list[StudyCell]:
    return [cell for cell in study.cells if cell.trials]
