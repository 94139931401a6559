"""The record of a study: its cells, their runs and their tuning, as one file of strict JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from recsys.schema import RecsysError
from recsys.tracking.field_types import wrong_field
from recsys.tracking.names import check_name, is_name
from recsys.tracking.record import load_json, write_json
from recsys.tracking.secrets import redacted

Kind = TypeVar("Kind")

FOLDER, FILE = "studies", "study.json"
BASELINE, GRID, LISTED, BASE, CHANGE = "baseline", "grid", "listed", "base", "change"
FINISHED, PRUNED, TRIAL_FAILED, RUNNING = "finished", "pruned", "failed", "running"


@dataclass(frozen=True)
class Trial:
    """One trial of a search, measured on the validation part.

    Attributes:
        number: From 0, in the order in which the trials were begun.
        parameters: Values by config key.
        state: FINISHED, PRUNED, TRIAL_FAILED or RUNNING.
        value: The monitored metric: the best value of a finished trial, the last of a pruned one; None without any.
        cost: The value of `search.cost`; None without it.
        seconds: Wall time.
        error: The last line of a failed trial's error.
    """

    number: int
    parameters: dict[str, Any]
    state: str
    value: float | None = None
    cost: float | None = None
    seconds: float | None = None
    error: str | None = None


def failed_trials(trials: Sequence[Trial]) -> str | None:
    """How many trials failed, with the most frequent error; None without a failed one.

    Example:
        >>> failed_trials([Trial(0, {}, "finished", 0.1), Trial(1, {}, "failed", error="ConfigError: no.")])
        '1 failed (ConfigError: no.)'
    """
    failed = [trial for trial in trials if trial.state == TRIAL_FAILED]
    if not failed:
        return None
    errors = Counter(trial.error for trial in failed if trial.error)
    told = f" ({errors.most_common(1)[0][0]})" if errors else ""
    return f"{len(failed)} failed{told}"


@dataclass(frozen=True)
class StudyCell:
    """A cell of a study: one configuration over all its seeds.

    Attributes:
        label: Its label in reports, unique in the study.
        kind: BASELINE, GRID, LISTED, BASE (of an ablation) or CHANGE (one change of the base).
        overrides: Overrides of each of its runs, without the tuned parameters and the seed.
        run_ids: Ids of its finished runs, by seed.
        parameters: The best parameters of tuning, by config key.
        trials: The trials of tuning.
        space: The search space, by config key: options of groups, and ranges of the keys that the best options have.
        left_out: Keys that components declare and tuning did not search, with the override or reason that fixes them.
        window: Name of its window of time, or draw of the split; None without these.
    """

    label: str
    kind: str
    overrides: list[str]
    run_ids: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    space: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    window: str | None = None

    @property
    def name(self) -> str:
        """The label without the window of time: the same in all windows."""
        return cell_name(self.label, self.window)


@dataclass(frozen=True)
class StudyRecord:
    """Definition and trials of a study; results are in the runs' records.

    Attributes:
        name: The study's name, and a tag of all of its runs.
        command: The command line that repeats it; secrets are `***`.
        seeds: Seeds of each cell.
        metrics: Test metrics of the report; the first is the main one.
        baseline: Label of the cell that all others are compared with, or None.
        monitor: The validation metric that the search optimises.
        search: The tuning budget and method, the same for each cell; empty without tuning.
        cells: The cells, in the study's order.
        higher_is_better: Whether higher values of `monitor` are better.
        n_left_out: Number of defined cells that `study.only` leaves out.
    """

    name: str
    command: str
    seeds: list[int]
    metrics: list[str]
    baseline: str | None
    monitor: str
    search: dict[str, Any] = field(default_factory=dict)
    cells: list[StudyCell] = field(default_factory=list)
    higher_is_better: bool = True
    n_left_out: int = 0

    def __post_init__(self) -> None:
        for shown in ("command", "search"):
            object.__setattr__(self, shown, redacted(getattr(self, shown)))

    @property
    def warnings(self) -> list[str]:
        """What a reader of a report could not see in its cells."""
        if not self.n_left_out:
            return []
        cells = f"{self.n_left_out} cell{'s' if self.n_left_out > 1 else ''} of this study"
        return [f"study.only left out {cells}, and p-values are corrected for the remaining cells alone."]

    @property
    def labels(self) -> dict[str, list[str]]:
        """The names of the cells that each run belongs to, by the run's id; several if cells share a run."""
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            for run_id in cell.run_ids.values():
                found.setdefault(run_id, []).append(cell.name)
        return found

    @property
    def windows(self) -> dict[str, str]:
        """The window of time, or draw of the split, of each run, by the run's id; empty for a study without these."""
        return {run_id: cell.window for cell in self.cells if cell.window for run_id in cell.run_ids.values()}

    def of_runs(self, run_ids: Collection[str]) -> StudyRecord:
        """The study with only the cells of these runs, such as those of one window; labels lose the window.

        Cells of the same windows that have no run, since they failed, are kept.
        """
        with_runs = [cell for cell in self.cells if not set(cell.run_ids.values()).isdisjoint(run_ids)]
        windows = {cell.window for cell in with_runs}
        own = [cell for cell in self.cells if cell in with_runs or (not cell.run_ids and cell.window in windows)]
        return replace(self, cells=[replace(cell, label=cell.name, window=None) for cell in own])

    def write(self, runs_dir: Path) -> Path:
        """Write the study into a store, and return the path of its file.

        Raises:
            RecsysError: If the file cannot be written.
        """
        path = study_folder(runs_dir, self.name) / FILE
        write_json(path, asdict(self))
        return path

    @classmethod
    def read(cls, runs_dir: Path, name: str) -> StudyRecord:
        """Read a study of a store.

        Raises:
            RecsysError: If there is no study of this name, or its file is damaged.
        """
        path = study_folder(runs_dir, name) / FILE
        if not path.is_file():
            known = ", ".join(studies(runs_dir)) or "none"
            raise RecsysError(f"there is no study {name!r} in {runs_dir}; it has {known}.")
        content = load_json(path)
        try:
            cells = [
                _checked(StudyCell, {**cell, "trials": [_checked(Trial, trial) for trial in cell["trials"]]})
                for cell in content.pop("cells")
            ]
            study = _checked(cls, {**content, "cells": cells})
        except (KeyError, TypeError) as error:
            raise RecsysError(f"{path} is damaged ({error}). Run the study again: finished runs are kept.") from error
        if study.name != name:
            raise RecsysError(f"{path} is the record of study {study.name!r}: give the folder the study's name.")
        return study


def cell_label(name: str, window: str | None) -> str:
    """The label of a cell in a window of time; its name without a window."""
    return name if window is None else f"{name} in {window}"


def cell_name(label: str, window: str | None) -> str:
    """The name of a cell, from its label in a window of time; the inverse of `cell_label`."""
    return label if window is None else label.removesuffix(f" in {window}")


def _checked(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """A dataclass from a file's content.

    Raises:
        TypeError: If a field is missing, unknown or of another type.
    """
    made = kind(**values)
    if wrong := wrong_field(kind, values):
        raise TypeError(wrong)
    return made


def study_folder(runs_dir: Path, name: str) -> Path:
    """The folder of a study's record and its tuning.

    Raises:
        ConfigError: If the name is no valid name of a folder.
    """
    return runs_dir / FOLDER / check_name("study.name", name)


def studies(runs_dir: Path) -> list[str]:
    """Names of the studies of a store."""
    folder = runs_dir / FOLDER
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in names if is_name(name) and (folder / name / FILE).is_file())
