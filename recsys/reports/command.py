"""The command `compare`: from a store of runs to a table on the screen and a report in a folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from recsys.reports import tables
from recsys.reports.comparison import Comparison, compare
from recsys.reports.findings import headline
from recsys.reports.report import write_report
from recsys.reports.selection import select_runs
from recsys.schema import ConfigError
from recsys.tracking.store import Store


def compare_runs(cfg: DictConfig, console: Console | None = None) -> Comparison:
    """Compare the chosen runs, print the tables, and write the report.

    Raises:
        ConfigError: If the store has no run, or a filter fits none.
        ComparisonError: If the runs must not be compared.
    """
    store = Store(Path(cfg.runs_dir))
    records = store.records()
    if not records:
        raise ConfigError(f"runs_dir={cfg.runs_dir} holds no run; make some with scripts/train.py or scripts/study.py.")
    chosen = select_runs(records, cfg.select, cfg.tag)
    comparison = compare(chosen, store, cfg.baseline, list(cfg.show), cfg.seed)
    command = shlex.join(["python", "scripts/compare.py", *(cfg.get("overrides") or [])])
    paths = write_report(comparison, Path(cfg.output), cfg.title, command, cfg.formats)
    console = console or Console()
    print_comparison(comparison, console)
    print_paths(paths, console)
    return comparison


def print_paths(paths: Mapping[str, Path], console: Console) -> None:
    """Where a report is."""
    console.print("Report:", *(str(path) for path in paths.values()), soft_wrap=True, highlight=False, markup=False)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Tables of quality and cost, what they mean, and what failed."""
    console.print(tables.to_rich(tables.quality_grid(comparison, brief=True)))
    if len(comparison.metrics) > 1:
        console.print(tables.to_rich(tables.others_grid(comparison)))
    console.print(tables.note(comparison), markup=False, highlight=False)
    console.print(tables.to_rich(tables.cost_grid(comparison)))
    console.print(headline(comparison), markup=False, highlight=False)
    for warning in comparison.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
    for run in comparison.failures:
        text = f"failed: {run.name} seed {run.seed} ({run.run_id}): {(run.error or '').strip().rsplit(chr(10), 1)[-1]}"
        console.print(text, style="red", markup=False, highlight=False)
