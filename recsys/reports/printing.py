"""Printing of comparisons on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console

from recsys.reports import grids, tables
from recsys.reports.across import Across
from recsys.reports.comparison import Comparison
from recsys.reports.findings import headline
from recsys.reports.matrix import has_matrix, matrix_note, significance_grid
from recsys.reports.over_splits import OverSplits
from recsys.reports.over_splits_tables import answers, by_split_grid, over_splits_grid, over_splits_note
from recsys.reports.ranks import ranks_grid, ranks_note
from recsys.tracking.study_record import StudyRecord

# Columns that a narrow terminal leaves out, in this order; the report's files have them.
LESS_IMPORTANT = ("d", "seed sd", "all weights", "test", "peak memory", "encode")


def print_ranks(across: Across, console: Console) -> None:
    """Print average ranks over data sets, by metric."""
    for metric in across.metrics:
        console.print(grids.to_rich(ranks_grid(across, metric)))
        console.print(ranks_note(across, metric), markup=False, highlight=False)
    _print_warnings(across.warnings, console)


def print_over_splits(found: OverSplits, console: Console) -> None:
    """Print means over all splits and on each, by metric, with a caption and the answers."""
    for metric in found.metrics:
        console.print(grids.to_rich(over_splits_grid(found, metric)))
        console.print(grids.to_rich(by_split_grid(found, metric, brief=True)))
    console.print(over_splits_note(found, found.metrics[0]), markup=False, highlight=False)
    for own in answers(found):
        console.print(f"{own.question} {own.answer}.", markup=False, highlight=False)


def print_paths(paths: Mapping[str, Path], console: Console) -> None:
    """Print the paths of a report's files; nothing for a report without files."""
    if not paths:
        return
    first, *others = dict.fromkeys(paths.values())
    told = f", and in the same folder {', '.join(path.name for path in others)}" if others else ""
    console.print(f"Report: {first}{told}", soft_wrap=True, highlight=False, markup=False)


def print_comparison(comparison: Comparison, console: Console, study: StudyRecord | None = None) -> None:
    """Print tables of quality and cost with their captions, warnings, also those of the study, and failed runs."""
    console.print(grids.to_rich(tables.quality_grid(comparison, brief=True), optional=LESS_IMPORTANT))
    if tables.has_seeds(comparison):
        console.print(grids.to_rich(tables.seeds_grid(comparison)))
    if len(comparison.metrics) > 1:
        console.print(grids.to_rich(tables.others_grid(comparison)))
    console.print(tables.full_note(comparison), markup=False, highlight=False)
    console.print(grids.to_rich(tables.cost_grid(comparison), optional=LESS_IMPORTANT))
    if has_matrix(comparison):
        console.print(grids.to_rich(significance_grid(comparison, brief=True)))
        console.print(matrix_note(comparison, brief=True), markup=False, highlight=False)
    console.print(headline(comparison), markup=False, highlight=False)
    _print_warnings([*comparison.warnings, *([] if study is None else study.warnings)], console)
    for run in comparison.failures:
        text = f"failed: {run.name} seed {run.seed} ({run.run_id}): {(run.error or '').strip().rsplit(chr(10), 1)[-1]}"
        console.print(text, style="red", markup=False, highlight=False)
    if comparison.left_out:
        text = f"not in the tables, since some of their seeds failed: {', '.join(comparison.left_out)}"
        console.print(text, style="red", markup=False, highlight=False)


def _print_warnings(warnings: Iterable[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
