"""What a study would do: its cells with their trials and runs to do, and the estimated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from recsys.config.compose import build
from recsys.experiment.run import find
from recsys.reports.formatting import counted, seconds
from recsys.schema import RecordError
from recsys.studies.cell_space import CellSpace
from recsys.studies.controls import Searched, check_pairs, control_of, controls, paired
from recsys.studies.estimate import Durations, Work, kind_of
from recsys.studies.jobs import Job
from recsys.studies.plan import PlannedCell, plan, retuned
from recsys.studies.runner import check_baseline, run_jobs
from recsys.studies.search_checks import check_search
from recsys.studies.trials import MAX_SECONDS
from recsys.studies.tuning import SearchError, Tuned, so_far
from recsys.support.text_tables import TextTable
from recsys.tracking.record import FAILED
from recsys.tracking.secrets import redacted
from recsys.tracking.store import Store

# States of a run in the table.
DONE, TO_DO = "finished", "to do"
UNTUNED, UNREADABLE = "tuning failed", "record unreadable"


def print_plan(cfg: DictConfig, console: Console) -> None:
    """Print the cells of a study with their trials and runs to do, and the estimated time.

    Raises:
        ConfigError: If the study, or one of its runs, is impossible.
    """
    cells = plan(cfg)
    spaces = check_search(cfg, cells)
    check_baseline(cfg, cells)
    check_pairs(cfg, cells, spaces)
    store = Store(Path(cfg.paths.runs_dir))
    durations = Durations(store.records() if store.root.is_dir() else [])
    tuned = [_tuned(cfg, planned) for planned in cells]
    planned_cells = [_planned(cfg, *own) for own in zip(cells, tuned, strict=True)]
    planned_cells += _controls(cfg, cells, spaces, tuned)
    console.print(_cells_table(cfg, planned_cells, durations))
    left_out: dict[str, dict[str, None]] = {}  # names of cells, by the sentence
    for planned, space in zip(cells, spaces, strict=False):
        for key, reason in space.left_out.items():
            left_out.setdefault(f"{key} is not searched ({reason})", {})[planned.name] = None
    for told, names in left_out.items():
        console.print(f"{told}: {', '.join(names)}.", markup=False, highlight=False)
    _print_estimate(cfg, planned_cells, durations, console)


@dataclass(frozen=True)
class _Planned:
    """What a cell needs until it is finished: trials first, then runs, whose states are known after the trials."""

    cell: PlannedCell
    n_trials: int
    states: Counter[str]
    retries_failed: bool

    @property
    def n_failed(self) -> int:
        """Number of runs that the study does not make again."""
        return 0 if self.retries_failed else sum(self.states[state] for state in (FAILED, UNTUNED, UNREADABLE))

    @property
    def n_runs(self) -> int:
        return self.states.total() - self.states[DONE] - self.n_failed

    def works(self, max_seconds: float | None) -> list[Work]:
        """All trials and runs to do; no trial begins after `max_seconds`."""
        trials, runs = (kind_of(self.cell.cfg, is_tested) for is_tested in (False, True))
        return [Work(trials, self.n_trials, max_seconds), Work(runs, self.n_runs)]


def _tuned(cfg: DictConfig, cell: PlannedCell) -> Tuned | None:
    """The state of a cell's tuning, done without a search; None if all trials were made and none was finished."""
    if not cfg.search.n_trials:
        return Tuned(True, {}, [])
    try:
        return so_far(cfg, cell)
    except SearchError:
        return None


def _planned(cfg: DictConfig, cell: PlannedCell, tuned: Tuned | None) -> _Planned:
    n_seeds = len(cfg.study.seeds)
    if tuned is None:
        return _Planned(cell, 0, Counter({UNTUNED: n_seeds}), cfg.retry_failed)
    if not tuned.is_done:
        at_most = "at most " if cfg.search.get(MAX_SECONDS) else ""
        told = f"after {at_most}{counted(tuned.n_left, 'more trial' if tuned.trials else 'trial')}"
        return _Planned(cell, tuned.n_left * cfg.search.seeds, Counter({told: n_seeds}), cfg.retry_failed)
    return _of_runs(cfg, cell, retuned(cfg, cell, tuned.parameters) if cfg.search.n_trials else cell)


def _controls(
    cfg: DictConfig, cells: Sequence[PlannedCell], spaces: Sequence[CellSpace], tuned: Sequence[Tuned | None]
) -> list[_Planned]:
    """The cells with settings of other cells; their settings are known after the searches of both."""
    if cfg.study.same_settings is None:
        return []
    done = [
        Searched(planned, space, own.parameters, retuned(cfg, planned, own.parameters))
        for planned, space, own in zip(cells, spaces, tuned, strict=False)
        if own is not None and own.is_done
    ]
    known = {control.planned.label: control for control in controls(cfg, done)}
    waiting = Counter({"after both searches": len(cfg.study.seeds)})
    planned = [control_of(own, other) for own, other in paired(cfg, cells)]
    return [
        _of_runs(cfg, known[own.label].planned, known[own.label].made)
        if own.label in known
        else _Planned(own, 0, waiting, cfg.retry_failed)
        for own in planned
    ]


def _of_runs(cfg: DictConfig, cell: PlannedCell, made: PlannedCell) -> _Planned:
    return _Planned(cell, 0, Counter(_state(job) for job in run_jobs(cfg, [made])), cfg.retry_failed)


def _cells_table(cfg: DictConfig, cells: Sequence[_Planned], durations: Durations) -> TextTable:
    """One row for each cell: the number of runs in each state, the time of one run, and the overrides."""
    rows = []
    for planned in cells:
        told = ", ".join(f"{n} {state}" for state, n in planned.states.items())
        duration = seconds(durations.of(kind_of(planned.cell.cfg)))
        rows.append([planned.cell.label, told, duration, redacted(" ".join(planned.cell.cell.overrides))])
    headers = ["cell", "runs", "time per run", "overrides"]
    return TextTable(headers, rows, f"study {cfg.study.name}", words=("runs", "overrides"))


def _state(job: Job) -> str:
    try:
        found = find(job.cfg)
    except RecordError:
        return UNREADABLE
    if found is None:
        return TO_DO
    return DONE if found.record.is_finished else found.record.status


def _print_estimate(cfg: DictConfig, cells: Sequence[_Planned], durations: Durations, console: Console) -> None:
    n_workers = build("launcher", cfg.launcher).n_workers
    n_trials, n_runs, n_failed = (sum(getattr(cell, n) for cell in cells) for n in ("n_trials", "n_runs", "n_failed"))
    if n_failed:
        console.print(f"{counted(n_failed, 'run')} failed; retry_failed=true makes them again.", highlight=False)
    if not n_runs:
        console.print(f"All {'other ' if n_failed else ''}runs are finished.", highlight=False)
        return
    limit = cfg.search.get(MAX_SECONDS)
    total = durations.total([work for cell in cells for work in cell.works(limit)], n_workers)
    told = "no run in the store to estimate the time from" if total is None else f"about {seconds(total)}"
    at_most = "at most " if limit else ""
    tuning = f" after {at_most}{counted(n_trials, 'trial')}" if n_trials else ""
    runs = counted(n_runs, "run")
    console.print(f"{runs} to do{tuning}, {n_workers} at a time: {told}.", highlight=False)
