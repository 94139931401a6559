"""The study command: run, then compare."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from recsys.experiment import find, label
from recsys.studies.runner import Outcome, plan, run_study

FAILED, FINISHED = 1, 0


def study_command(cfg: DictConfig) -> int:
    """Run a study and print and write its comparison; the exit status is 1 if a run failed."""
    console = Console()
    if cfg.dry_run:
        _print_plan(cfg, console)
        return FINISHED
    outcome = run_study(cfg)
    made = len(outcome.records) + len(outcome.failures) - outcome.n_found
    console.print(f"{made} runs made and {outcome.n_found} found in {outcome.seconds:.0f} s.", highlight=False)
    if outcome.records:
        _compare(cfg, outcome)
    for record in outcome.failures:
        reason = (record.error or "").strip().splitlines()[-1:]
        console.print(f"[red]failed[/] {record.name} seed {record.seed} ({record.run_id}): {' '.join(reason)}", highlight=False)
    if outcome.failures:
        console.print("Tracebacks are in the records; retry_failed=true runs them again.")
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


def _compare(cfg: DictConfig, outcome: Outcome) -> None:
    ...
