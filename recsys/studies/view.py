"""The progress of a study on the terminal: jobs done, running and failed, the best run so far, and the time left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import repeat
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from recsys.experiment.run_identity import identify
from recsys.reports.formatting import counted, number, seconds
from recsys.studies.estimate import Durations, Kind, Work, kind_of
from recsys.studies.jobs import FOUND, JOB_FAILED, MADE, Job, Outcome
from recsys.studies.runner import StudyProgress
from recsys.studies.storage import CLAIMS
from recsys.studies.trials import MAX_SECONDS
from recsys.tracking.store import Store
from recsys.tracking.study_record import failed_trials, study_folder

SHOWN = 6  # number of running or failed jobs that are shown by name
REFRESH = 2  # times a second


class StudyView(StudyProgress):
    """A live view on a terminal; elsewhere a line for each job that ends.

    Args:
        cfg: Configuration of the study.
        console: Where it is shown.
    """

    def __init__(self, cfg: DictConfig, console: Console) -> None:
        self.cfg, self.console = cfg, console
        self.store = Store(Path(cfg.paths.runs_dir))
        records = self.store.records() if self.store.root.is_dir() else []
        self.durations, self.recorded = Durations(records), {record.run_id for record in records}
        self.jobs: list[Job] = []
        self.kinds: dict[str, Kind] = {}  # of runs, by the label of their cell
        self.ended: dict[tuple[str, int | None], Outcome] = {}
        self.header = ""  # of the last phase
        self.start, self.began = time.perf_counter(), time.time()

    def begin(self, jobs: Sequence[Job]) -> None:
        """Called when a phase begins: the tuning of the cells, or the runs."""
        self.jobs, self.ended = list(jobs), {}
        self.kinds = {job.label: _kind(job) for job in jobs}
        header = self._header()
        if header != self.header:  # an answer tunes the same cells in several phases
            self.console.print(header, soft_wrap=True, markup=False, highlight=False)
        self.header = header

    def _header(self) -> str:
        """The number of cells, trials or runs of the phase, and of runs that are in the store already."""
        cells = {job.label for job in self.jobs}
        own = [job.cfg if job.planned is None else job.planned.cfg for job in self.jobs]
        where = ", ".join(dict.fromkeys(f"{_data_name(cfg)}, split {cfg.choices.split}" for cfg in own))
        if self._is_tuning():
            limit = self.cfg.search.get(MAX_SECONDS)
            at_most = f", at most {seconds(limit)}" if limit else ""
            budget = f"{counted(len(cells), 'cell')}, {counted(self.cfg.search.n_trials, 'trial')}{at_most} each"
            return f"{self.cfg.study.name}: tuning of {budget} ({where})"
        n_found = sum(self._is_recorded(job) for job in self.jobs)
        verb = "is" if n_found == 1 else "are"
        runs = f"{counted(len(self.jobs), 'run')} of {counted(len(cells), 'cell')} ({where})"
        return f"{self.cfg.study.name}: {runs}; {n_found} of them {verb} already in {self.store.root}"

    def _is_recorded(self, job: Job) -> bool:
        identifier = identify(job.cfg)
        return identifier is not None and identifier in self.recorded

    def told(self, outcome: Outcome) -> None:
        """Called when a job has ended."""
        self.ended[outcome.label, outcome.seed] = outcome
        if outcome.state == MADE and outcome.seed is not None:
            self.durations.add(self.kinds[outcome.label], outcome.seconds)
        if not self.console.is_terminal:
            self.console.print(self._line(outcome), highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the view while the block runs."""
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self.render, console=self.console, refresh_per_second=REFRESH, transient=True):
            yield

    def render(self) -> Group:
        """The view as it is now."""
        outcomes = list(self.ended.values())
        done = sum(outcome.state in (MADE, FOUND) for outcome in outcomes)
        failed = [outcome for outcome in outcomes if outcome.state == JOB_FAILED]
        head = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=max(1, len(self.jobs)), completed=len(outcomes), width=30)
        counts = Text(f"{len(outcomes)}/{len(self.jobs)} {self._phase()}: {done} done, {len(failed)} failed")
        spent = Text(str(timedelta(seconds=round(time.perf_counter() - self.start))))
        head.add_row(Text(self.cfg.study.name, style="bold"), bar, counts, spent, Text(f"left {self._left()}"))
        running = [Text(line) for line in self._running()]
        told = [Text(self._line(outcome), style="red") for outcome in failed[-SHOWN:]]
        return Group(head, *running, *self._best(outcomes), *told)

    def _phase(self) -> str:
        return "cells tuned" if self._is_tuning() else "runs"

    def _left(self) -> str:
        left = [job for job in self.jobs if (job.label, job.seed) not in self.ended]
        begun = [*(self._trials_begun() if self._is_tuning() else ()), *repeat(0, len(left))]
        works = [self._work_left(job, n) for job, n in zip(left, begun, strict=False)]
        total = self.durations.total(works, int(self.cfg.launcher.get("n_workers") or 1))
        return "unknown" if total is None else f"about {seconds(total)}"

    def _work_left(self, job: Job, n_begun: int) -> Work:
        """The run, or the trials of a cell that has begun `n_begun` of them."""
        if not self._is_tuning():
            return Work(_kind(job))
        kind, n_seeds, limit = _kind(job), self.cfg.search.seeds, self.cfg.search.get(MAX_SECONDS)
        spent = n_begun * n_seeds * (self.durations.of(kind) or 0.0)
        left = max(0, self.cfg.search.n_trials - n_begun) * n_seeds
        return Work(kind, left, None if limit is None else max(0.0, limit - spent))

    def _is_tuning(self) -> bool:
        return bool(self.jobs) and self.jobs[0].seed is None

    def _trials_begun(self) -> list[int]:
        """The numbers of trials begun, by cells that are tuned now in the order of their first trials.

        A cell is tuned now if it has new claims and has not ended.
        """
        ended = {outcome.search_key for outcome in self.ended.values()}
        claims: dict[str, list[float]] = {}
        for path in (study_folder(self.store.root, self.cfg.study.name) / CLAIMS).glob("*-*"):
            key, _, number = path.name.rpartition("-")
            if number.isdigit():
                claims.setdefault(key, []).append(path.stat().st_mtime)
        own = [times for key, times in claims.items() if max(times) >= self.began and key not in ended]
        return [len(times) for times in sorted(own, key=min)]

    def _running(self) -> list[str]:
        left = [job for job in self.jobs if (job.label, job.seed) not in self.ended]
        running = [job for job in left if job.seed is not None and self._is_locked(job)]
        shown = [f"  running: {job.label} seed {job.seed}" for job in running[:SHOWN]]
        if self._is_tuning():
            n_trials, begun = self.cfg.search.n_trials, self._trials_begun()
            shown = [f"  tuning: {job.label}, trial {n} of {n_trials}" for job, n in zip(left, begun, strict=False)]
        return [*shown, *([f"  and {len(running) - SHOWN} more"] if len(running) > SHOWN else [])]

    def _is_locked(self, job: Job) -> bool:
        identifier = identify(job.cfg)
        return identifier is not None and self.store.is_locked(identifier)

    def _best(self, outcomes: Sequence[Outcome]) -> list[Text]:
        measured = [outcome for outcome in outcomes if outcome.value is not None and outcome.value == outcome.value]
        if not measured:
            return []
        best = max(measured, key=lambda outcome: (outcome.value or 0.0) * (1 if outcome.higher_is_better else -1))
        told = f"  best so far: {best.label} seed {best.seed}, {number(best.value)} on validation"
        return [Text(told, style="green")]

    def _line(self, outcome: Outcome) -> str:
        place = f"[{len(self.ended)}/{len(self.jobs)}]"
        seed = "tuned" if outcome.seed is None else f"seed {outcome.seed}"
        told = f"failed: {outcome.error}" if outcome.state == JOB_FAILED else outcome.state
        if outcome.seed is None and outcome.state == FOUND and not outcome.trials:
            return f"{place} {outcome.label}: nothing to tune"
        value = "" if outcome.value is None else f", {number(outcome.value)} on validation"
        is_tuning = outcome.seed is None and outcome.state != JOB_FAILED
        failed = failed_trials(outcome.trials)
        trials = f", {counted(len(outcome.trials), 'trial')}{f', {failed}' if failed else ''}" if is_tuning else ""
        return f"{place} {outcome.label} {seed}: {told}{value}{trials}, {seconds(outcome.seconds)}"


def _data_name(cfg: DictConfig) -> str:
    """The data set's own name, such as that of a table, or the chosen option of `data`."""
    return str((cfg.get("data") or {}).get("name") or cfg.choices.data)


def _kind(job: Job) -> Kind:
    return kind_of(job.cfg) if job.planned is None else kind_of(job.planned.cfg, is_tested=False)
