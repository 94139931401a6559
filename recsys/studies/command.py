"""The study command: run, then compare."""

from __future__ import annotations

import shlex
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from recsys.experiment import find, label
from recsys.reports.command import print_comparison, print_paths
from recsys.reports.comparison import compare
from recsys.reports.report import write_report
from recsys.studies.runner import Outcome, plan, run_study
from recsys.tracking.store import Store

FAILED, FINISHED = 1, 0


def study_command(cfg: DictConfig) -> int:
    """Run a study and print and write its comparison; the exit status is 1 if a run failed."""
    console = Console()
    if cfg.dry_run:
        _print_plan(cfg, console)
        return FINISHED
    outcome = run_study(cfg)
    made = len(outcome.records) + len(outcome.failures) - outcome.n_found
    if outcome.records:
        _compare(cfg, outcome, console)
    console.print(f"{made} runs made and {outcome.n_found} found in {outcome.seconds:.0f} s.", highlight=False)
    if outcome.failures:
        console.print(
            f"[red]{len(outcome.failures)} runs failed[/]; retry_failed=true runs them again.", highlight=False
        )
    return FAILED if outcome.failures else FINISHED


def _print_plan(cfg: DictConfig, console: Console) -> None:
    table = Table(title=f"study {cfg.study.name}")
    for column in ("run", "seed", "state", "overrides"):
        table.add_column(column)
    for run_cfg in plan(cfg):
        found = find(run_cfg)
        state = "to do" if found is None else found.record.status
        table.add_row(label(run_cfg), str(run_cfg.seed), state, " ".join(run_cfg.overrides))
    console.print(table)


def _compare(cfg: DictConfig, outcome: Outcome, console: Console) -> None:
    study = cfg.study
    command = shlex.join(["python", "scripts/study.py", *cfg.overrides])
    comparison = compare(
        [*outcome.records, *outcome.failures], Store(Path(cfg.paths.runs_dir)), study.baseline, list(study.metrics)
    )
    paths = write_report(comparison, Path(cfg.output), f"Study {study.name}", command)
    print_comparison(comparison, console)
    print_paths(paths, console)
