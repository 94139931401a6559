"""Printing of one run on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from rich.console import Console

from recsys.reports.encoding import coverage_lines, run_warnings
from recsys.reports.formatting import count, counted, megabytes, number, seconds
from recsys.support.screen import Screen
from recsys.support.text_tables import TextTable
from recsys.tracking.record import Record


class FinishedRun(Protocol):
    """A run with the parts that are printed."""

    record: Record
    folder: Path


def print_run(run: FinishedRun, console: Console | None = None) -> None:
    """Print a run's metrics by stage, the coverage of texts, its cost, its folder and its warnings."""
    console = console or Screen()
    record = run.record
    console.print(_metrics_table(record))
    spent = ", ".join(f"{stage} {seconds(value)}" for stage, value in record.times.items())
    epochs = "not trained by epochs" if record.epochs is None else counted(record.epochs, "epoch")
    weights = f"{count(record.parameters.get('trainable'))} trained weights"
    lines = [f"{epochs}, {weights}, peak memory {megabytes(record.peak_memory_mb)}; {spent}", f"Run: {run.folder}"]
    for line in [*coverage_lines(record.encoding), *lines]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    correlations = record.ranking.get("rank_correlation", {})
    if correlations:
        told = ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in correlations.items())
        line = f"Rank correlation of the scores of {record.ranking['n_users']} users with: {told}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for warning in run_warnings(record):
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)


def _metrics_table(record: Record) -> TextTable:
    """A table with a row for each metric and a column for each stage and cut-off."""
    stages = dict.fromkeys(name.partition("/")[0] for name in record.metrics)
    names = dict.fromkeys(name.partition("/")[2].partition("@")[0] for name in record.metrics)
    columns = [
        (stage, cutoff)
        for stage in stages
        for cutoff in sorted({_cutoff(name) for name in record.metrics if name.startswith(f"{stage}/")})
    ]
    headers = [f"{stage} @{cutoff}" if cutoff else stage for stage, cutoff in columns]
    rows = [
        [name, *(number(record.metrics.get(f"{stage}/{name}@{k}" if k else f"{stage}/{name}")) for stage, k in columns)]
        for name in names
    ]
    return TextTable(["metric", *headers], rows, f"{record.name}, seed {record.seed}")


def _cutoff(name: str) -> int:
    """The k of a metric such as "test/ndcg@10"; 0 without one."""
    cutoff = name.partition("@")[2]
    return int(cutoff) if cutoff.isdigit() else 0
