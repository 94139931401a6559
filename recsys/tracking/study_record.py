"""The record of a study: its cells, their runs and how their settings were found, as one file of strict JSON."""

from __future__ import annotations

from collections.abc import Collection
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
    """One setting that was tried on the validation part.

    Attributes:
        number: From 0, in the order in which they were begun.
        parameters: Values by config key.
        state: FINISHED, PRUNED, FAILED or RUNNING.
        value: Of the monitored metric: the best of a finished trial, the last of a pruned one; None without any.
        cost: Of a search for accuracy against cost, else None.
        seconds: Wall time.
    """

    number: int
    parameters: dict[str, Any]
    state: str
    value: float | None = None
    cost: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class StudyCell:
    """One of the settings that a study compares.

    Attributes:
        label: What reports call it; no other cell of the study has it.
        kind: BASELINE, GRID, LISTED, BASE (of an ablation) or CHANGE (one change of the base).
        overrides: Of every run, without the tuned parameters and the seed.
        run_ids: By seed, those that are finished.
        parameters: The best parameters of tuning, by config key.
        trials: The trials of tuning.
        space: The search space, by config key: options of groups, and the ranges of the keys of the chosen options.
        left_out: Keys that components declare and tuning did not search, with the cell's override that fixes them.
        window: The name of its window of time; None without windows.
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
        seeds: Of each cell.
        metrics: Of the test; the first is the one that is compared.
        baseline: The label of the cell that all others are compared with, or None.
        monitor: The metric of validation that is tuned for.
        search: The tuning budget and method, the same for each cell; empty without tuning.
        cells: In the study's order.
        higher_is_better: Of `monitor`; the search's direction.
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

    def __post_init__(self) -> None:
        for shown in ("command", "search"):
            object.__setattr__(self, shown, redacted(getattr(self, shown)))

    @property
    def is_ablation(self) -> bool:
        """Whether it has a base and single changes of it."""
        return any(cell.kind == BASE for cell in self.cells)

    @property
    def labels(self) -> dict[str, list[str]]:
        """The names of the cells that each run belongs to, by the run's id; several where cells end in one run."""
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            for run_id in cell.run_ids.values():
                found.setdefault(run_id, []).append(cell.name)
        return found

    @property
    def windows(self) -> dict[str, str]:
        """The window of time of each run, by the run's id; empty for a study without windows."""
        return {run_id: cell.window for cell in self.cells if cell.window for run_id in cell.run_ids.values()}

    def of_runs(self, run_ids: Collection[str]) -> StudyRecord:
        """The study of the cells that these runs are of, such as those of one window, labelled by their names."""
        own = [cell for cell in self.cells if not set(cell.run_ids.values()).isdisjoint(run_ids)]
        return replace(self, cells=[replace(cell, label=cell.name, window=None) for cell in own])

    def write(self, runs_dir: Path) -> Path:
        """Write the study into a store; gives the file.

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
            RecsysError: If there is none of that name, or its file is damaged.
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
            raise RecsysError(f"{path} is damaged ({error}). Run the study again: finished runs are found.") from error
        if study.name != name:
            raise RecsysError(f"{path} is the record of study {study.name!r}: give the folder the study's name.")
        return study


def cell_label(name: str, window: str | None) -> str:
    """The label of a cell in a window of time; its name without one."""
    return name if window is None else f"{name} in {window}"


def cell_name(label: str, window: str | None) -> str:
    """The name in the label of a cell in a window of time."""
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
    """Where a study keeps its record and its tuning.

    Raises:
        ConfigError: If the name can be no name of a folder.
    """
    return runs_dir / FOLDER / check_name("study.name", name)


def studies(runs_dir: Path) -> list[str]:
    """Names of the studies of a store."""
    folder = runs_dir / FOLDER
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(name for name in names if is_name(name) and (folder / name / FILE).is_file())
