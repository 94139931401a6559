"""Runs a study in this process: what is done is found, what fails is recorded, and the rest goes on."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from omegaconf import DictConfig, open_dict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from recsys.config import check, compose
from recsys.experiment import find, label, record_failure, run
from recsys.studies.grid import expand
from recsys.tracking.record import Record
from recsys.tracking.store import Store


@dataclass
class Outcome:
    """What became of a study.

    Attributes:
        records: Of all its finished runs, in the plan's order.
        failures: Of its failed runs.
        n_found: How many of them were found and not made.
        seconds: Wall time.
    """

    records: list[Record] = field(default_factory=list)
    failures: list[Record] = field(default_factory=list)
    n_found: int = 0
    seconds: float = 0.0

    def add(self, record: Record, found: bool = False) -> None:
        """Count a run."""
        (self.records if record.is_finished else self.failures).append(record)
        self.n_found += found


def plan(cfg: DictConfig) -> list[DictConfig]:
    """The configuration of each run of a study; all are checked before the first begins.

    Raises:
        ConfigError: If a run's configuration is impossible.
    """
    plans = expand(cfg.study)
    runs = [compose([*overrides, *_paths(cfg)]) for overrides in plans]
    for run_cfg, overrides in zip(runs, plans, strict=True):
        with open_dict(run_cfg):
            run_cfg.overrides = overrides  # where the store is belongs to this machine, not to the run
            run_cfg.tags = [*run_cfg.tags, cfg.study.name]
            run_cfg.trainer.enable_progress_bar = not cfg.quiet
        check(run_cfg)
    return runs


def run_study(cfg: DictConfig, console: Console | None = None) -> Outcome:
    """Make all runs of a study that are not done yet, one after the other, in this process."""
    start = time.perf_counter()
    outcome, todo = Outcome(), plan(cfg)
    with _progress(console) as progress:
        bar = progress.add_task(cfg.study.name, total=len(todo), run="")
        for run_cfg in todo:
            progress.update(bar, run=f"{label(run_cfg)} seed {run_cfg.seed}")
            _one(run_cfg, cfg.retry_failed, outcome)
            progress.advance(bar)
        progress.update(bar, run="done")
    outcome.seconds = time.perf_counter() - start
    return outcome


def _one(cfg: DictConfig, retry_failed: bool, outcome: Outcome) -> None:
    found = find(cfg)
    if found is not None and (found.record.is_finished or not retry_failed):
        outcome.add(Store(found.folder.parent).tag(found.record, cfg.tags), found=True)
        return
    try:
        outcome.add(run(cfg).record)
    except Exception:  # a run that fails must not take the others with it: it is recorded and listed
        outcome.add(record_failure(cfg, traceback.format_exc()))


def _paths(cfg: DictConfig) -> Sequence[str]:
    return [f"paths.runs_dir={cfg.paths.runs_dir}", f"paths.cache_dir={cfg.paths.cache_dir}"]


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[run]}"),
        console=console or Console(stderr=True),
    )
