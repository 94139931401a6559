"""The page's table of runs, and the links to it from the names of cells."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from recsys.reports.comparison import Comparison
from recsys.reports.grids import Entry, Grid
from recsys.reports.sections import Section
from recsys.tracking.record import Record
from recsys.tracking.store import RECORD

CELL, UNNAMED = "cell", ""  # headers of columns with labels of cells


def run_grid(comparison: Comparison, folder: Path | None) -> Grid:
    """Each run with a link to its record and the commands that show it and make it again.

    Args:
        comparison: Comparison of the runs.
        folder: Folder of the page, to which links are relative; None for no links. There are none either to a store
            outside of the page's folder, if the page is not in the store and not both are in the current folder.
    """
    anchors, rows = _anchors(comparison), []
    for row in comparison.rows:
        for place, record in enumerate(row.cell.records):
            first = Entry(row.label, anchor=anchors[row.label] if place == 0 else "")
            seed = Entry(str(record.seed), value=float(record.seed))
            files = Entry(record.run_id, link=_link(comparison, record, folder))
            commands = (f"recsys runs action=show run={record.run_id}", row.cell.command_of(record))
            rows.append([first, seed, files, *(Entry(command, is_command=True) for command in commands)])
    return Grid([CELL, "seed", "run", "show it", "make it again"], rows)


def with_links(section: Section, comparison: Comparison) -> Section:
    """The section with links from the cells' labels, in tables and figures' data, to the cells' first runs."""
    anchors = _anchors(comparison)
    tables = [replace(table, grid=_linked(table.grid, anchors)) for table in section.tables]
    figures = [replace(figure, data=_linked(figure.data, anchors)) for figure in section.figures]
    return replace(section, tables=tables, figures=figures)


def _linked(grid: Grid, anchors: dict[str, str]) -> Grid:
    if not grid.headers or grid.headers[0] not in (CELL, UNNAMED):
        return grid
    rows = [[_to_runs(first, anchors), *others] for first, *others in grid.rows]
    return replace(grid, rows=rows)


def _to_runs(entry: Entry, anchors: dict[str, str]) -> Entry:
    return replace(entry, link=f"#{anchors[entry.text]}") if entry.text in anchors else entry


def _anchors(comparison: Comparison) -> dict[str, str]:
    """Anchors by label; they do not depend on the metric that the cells are sorted by."""
    return {label: f"cell-{place}" for place, label in enumerate(sorted(row.label for row in comparison.rows))}


def _link(comparison: Comparison, record: Record, folder: Path | None) -> str:
    if comparison.runs_dir is None or folder is None:
        return ""
    store, page, here = comparison.runs_dir.absolute(), folder.absolute(), Path.cwd()
    are_here = store.is_relative_to(here) and page.is_relative_to(here)
    if not (are_here or page.is_relative_to(store) or store.is_relative_to(page)):
        return ""  # it would be dead on any other machine, and name this machine's folders
    return quote(Path(os.path.relpath(store / record.run_id / RECORD, page)).as_posix())
