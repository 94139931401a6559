"""Runs a study: finished runs are reused, and failed runs are recorded and do not stop the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

from omegaconf import DictConfig

from recsys.config.compose import build, plain
from recsys.config.registered import registered, with_registered
from recsys.schema import ConfigError
from recsys.studies.cell_definitions import expand
from recsys.studies.cell_space import CellSpace
from recsys.studies.controls import Control, Searched, check_pairs, controls
from recsys.studies.jobs import BUSY, FOUND, JOB_FAILED, MADE, Job, Outcome, perform
from recsys.studies.launchers.base import Launcher, Perform
from recsys.studies.plan import PlannedCell, plan, retuned
from recsys.studies.search_checks import check_search
from recsys.studies.search_study import maximises, tuning_seeds
from recsys.support.near_names import nearest
from recsys.tracking.record import Record
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyCell, StudyRecord, Trial


class StudyProgress:
    """Receives the progress of a study; this base class ignores it."""

    def begin(self, jobs: Sequence[Job]) -> None:
        """Called when a phase begins: the tuning of the cells, or the runs."""

    def told(self, outcome: Outcome) -> None:
        """Called when a job has ended."""


@dataclass
class Result:
    """The result of a study.

    Attributes:
        record: The study's record.
        records: Records of its runs, finished and failed, in the study's order.
        failures: Outcomes of failed tunings and runs.
        n_made: Number of runs that were made now.
        n_found: Number of runs that were in the store already.
        n_trials: Number of trials of all cells.
        seconds: Wall time.
    """

    record: StudyRecord
    records: list[Record] = field(default_factory=list)
    failures: list[Outcome] = field(default_factory=list)
    n_made: int = 0
    n_found: int = 0
    n_trials: int = 0
    seconds: float = 0.0


def run_study(cfg: DictConfig, command: str = "", progress: StudyProgress | None = None) -> Result:
    """Tune each cell if a search is configured, make each missing run, and record the study.

    Raises:
        ConfigError: If the study or one of its runs is invalid; before the first run.
        StoreError: If the store cannot be written.
    """
    start = time.perf_counter()
    progress = progress or StudyProgress()
    cells = plan(cfg)
    spaces = check_search(cfg, cells)
    check_baseline(cfg, cells)
    check_pairs(cfg, cells, spaces)
    launcher: Launcher = build("launcher", cfg.launcher)
    tuned = _tune(cfg, cells, launcher, progress) if cfg.search.n_trials else []
    failures = [outcome for outcome in tuned if outcome.state == JOB_FAILED]
    chosen = _chosen(cfg, cells, tuned)
    swapped = _controls(cfg, cells, spaces, tuned, chosen)
    chosen += [control.made for control in swapped]
    order = [planned.label for planned in chosen]
    outcomes = sorted(_all(launcher, run_jobs(cfg, chosen), progress), key=lambda outcome: order.index(outcome.label))
    record = _study_record(cfg, command, cells, spaces, tuned, swapped, outcomes)
    record.write(Path(cfg.paths.runs_dir))
    counts = Counter(outcome.state for outcome in outcomes)
    return Result(
        record,
        _records(cfg, outcomes),
        [*failures, *(outcome for outcome in outcomes if outcome.state == JOB_FAILED)],
        counts[MADE],
        counts[FOUND],
        sum(len(outcome.trials) for outcome in tuned),
        time.perf_counter() - start,
    )


def tune_study(cfg: DictConfig, progress: StudyProgress | None = None) -> list[Outcome]:
    """Tune each cell without making its runs; `run_study` with as many trials or more continues the search.

    Raises:
        ConfigError: If the study is invalid; before the first trial.
        StoreError: If the store cannot be written.
    """
    cells = plan(cfg)
    check_search(cfg, cells)
    return _tune(cfg, cells, build("launcher", cfg.launcher), progress or StudyProgress())


def run_jobs(cfg: DictConfig, cells: Sequence[PlannedCell]) -> list[Job]:
    """The runs of these cells, one for each seed: all with the first seed, then all with the next.

    So the study can be read before it ends, and what it has of all cells is comparable.
    """
    return [
        Job(planned.label, seed, planned.with_seed(seed), retry_failed=cfg.retry_failed)
        for seed in cfg.study.seeds
        for planned in cells
    ]


def check_baseline(cfg: DictConfig, cells: Sequence[PlannedCell]) -> None:
    """Raise an error for a baseline that is no cell of the study, before the first run.

    Raises:
        ConfigError: If there is no such cell; the message lists the cells.
    """
    labels = list(dict.fromkeys(planned.name for planned in cells))
    if cfg.study.baseline is not None and cfg.study.baseline not in labels:
        hint = nearest(cfg.study.baseline, labels)
        raise ConfigError(
            f"study.baseline is {cfg.study.baseline!r}; expected one of {', '.join(labels)}, or null{hint or '.'}"
        )


def _tune(cfg: DictConfig, cells: Sequence[PlannedCell], launcher: Launcher, progress: StudyProgress) -> list[Outcome]:
    jobs = [Job(planned.label, None, cfg, planned, retry_failed=cfg.retry_failed) for planned in cells]
    outcomes = {outcome.label: outcome for outcome in _all(launcher, jobs, progress)}
    return [outcomes[planned.label] for planned in cells]


def _chosen(cfg: DictConfig, cells: Sequence[PlannedCell], tuned: Sequence[Outcome]) -> list[PlannedCell]:
    """The cells with their tuned parameters, without those whose tuning failed."""
    if not tuned:
        return list(cells)
    return [
        retuned(cfg, planned, outcome.parameters)
        for planned, outcome in zip(cells, tuned, strict=True)
        if outcome.state != JOB_FAILED
    ]


def _controls(
    cfg: DictConfig,
    cells: Sequence[PlannedCell],
    spaces: Sequence[CellSpace],
    tuned: Sequence[Outcome],
    chosen: Sequence[PlannedCell],
) -> list[Control]:
    """The cells with settings of other cells, without those of cells whose tuning failed."""
    made = {planned.label: planned for planned in chosen}
    return controls(
        cfg,
        [
            Searched(planned, space, own.parameters, made[planned.label])
            for planned, space, own in zip(cells, spaces, tuned, strict=False)  # the latter are empty without a search
            if planned.label in made
        ],
    )


def _all(launcher: Launcher, jobs: Sequence[Job], progress: StudyProgress) -> list[Outcome]:
    """The outcomes of all jobs, in their order; jobs that another worker has are launched again at the end."""
    progress.begin(jobs)
    ended: dict[tuple[str, int | None], Outcome] = {}
    left, known = list(jobs), registered()
    do: Perform = perform if known is None else partial(with_registered, known, perform)
    while left:
        for outcome in launcher.launch(do, left):
            if outcome.state != BUSY:
                ended[outcome.label, outcome.seed] = outcome
                progress.told(outcome)
        busy = [job for job in left if (job.label, job.seed) not in ended]
        if len(busy) == len(left):  # other workers have all remaining jobs
            time.sleep(1)
            busy = [replace(job, wait=True) for job in busy]
        left = busy
    return [ended[job.label, job.seed] for job in jobs]


def _records(cfg: DictConfig, outcomes: Sequence[Outcome]) -> list[Record]:
    store = Store(Path(cfg.paths.runs_dir))
    found = [store.find(outcome.run_id) for outcome in outcomes if outcome.run_id is not None]
    return [record for record in found if record is not None]


def _study_record(
    cfg: DictConfig,
    command: str,
    cells: Sequence[PlannedCell],
    spaces: Sequence[CellSpace],
    tuned: Sequence[Outcome],
    swapped: Sequence[Control],
    outcomes: Sequence[Outcome],
) -> StudyRecord:
    entries = zip_longest(cells, spaces, tuned)  # the latter two are empty without a search
    defined = expand(cfg.study)
    n_defined = len(defined) // len({cell.window for cell in defined})
    search = {**plain(cfg.search), "tuning_seeds": tuning_seeds(cfg), "space": plain(cfg.study)["space"]}
    return StudyRecord(
        name=cfg.study.name,
        command=command,
        seeds=list(cfg.study.seeds),
        metrics=list(cfg.study.metrics),
        baseline=cfg.study.baseline,
        monitor=cells[0].cfg.monitor,
        higher_is_better=maximises(cells[0].cfg),
        n_left_out=n_defined - len({planned.name for planned in cells}),
        search=search if cfg.search.n_trials else {},
        cells=[
            *(_study_cell(planned, space, own, outcomes) for planned, space, own in entries),
            *(replace(_study_cell(own.planned, None, None, outcomes), parameters=own.parameters) for own in swapped),
        ],
    )


def _study_cell(
    planned: PlannedCell, space: CellSpace | None, tuned: Outcome | None, outcomes: Sequence[Outcome]
) -> StudyCell:
    own = [outcome for outcome in outcomes if outcome.label == planned.label and outcome.state in (MADE, FOUND)]
    trials: list[Trial] = [] if tuned is None else tuned.trials
    parameters = {} if tuned is None else dict(tuned.parameters)
    return StudyCell(
        label=planned.label,
        kind=planned.cell.kind,
        overrides=planned.cell.overrides,
        run_ids={str(outcome.seed): str(outcome.run_id) for outcome in own},
        parameters=parameters,
        trials=trials,
        space={} if space is None else {**space.groups, **space.given(parameters)},
        left_out={} if space is None else space.left_out,
        window=planned.cell.window,
    )
