"""Tables and the report of ranks over several data sets."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from pathlib import Path

from recsys.reports import grids
from recsys.reports.across import Across
from recsys.reports.critical_difference import CriticalDifference
from recsys.reports.formatting import ABSENT, metric_name, number, p_equals, safe_markdown
from recsys.reports.grids import Entry, Grid
from recsys.reports.report import FIGURES, PICTURES
from recsys.support.whole_files import OUTPUT, write_atomically

REPORT = "critical_difference.md"


def ranks_grid(across: Across, metric: str) -> Grid:
    """Cells by average rank, with mean and rank on each data set; cells with a common letter do not differ."""
    found = across.critical_differences[metric]
    rows = []
    for place, label in enumerate(found.labels):
        average = Entry(f"{found.average_ranks[place]:.2f}", found.average_ranks[place] == found.average_ranks[0])
        means = [
            Entry(f"{number(across.comparisons[name].row(label).scores[metric].mean)} ({ranks[place]:g})")
            for name, ranks in zip(found.datasets, found.ranks, strict=True)
        ]
        rows.append([Entry(label), average, Entry(_letters(found, label)), *means])
    return Grid([metric_name(metric), "average rank", "group", *found.datasets], rows)


def ranks_note(across: Across, metric: str) -> str:
    """The caption of the ranks; it also reports if no two cells can differ significantly."""
    found = across.critical_differences[metric]
    n_cells = len(found.labels)
    text = (
        f"Mean and rank on each of {found.n_datasets} data sets. Friedman's test that all cells are equal: "
        f"{p_equals(found.p_permutation)} by permutation of ranks "
        f"(χ² = {found.statistic:.2f}, {p_equals(found.p)}). Average ranks that are "
        f"{found.critical_difference:.2f} apart differ significantly (Nemenyi, {1 - found.level:.3g}); cells that "
        "share a letter do not."
    )
    if found.critical_difference > n_cells - 1:
        text += f" No two of {n_cells} cells can be so far apart: a significant difference needs more data sets."
    if across.left_out:
        text += f" Left out, since not all data sets have them: {', '.join(across.left_out)}."
    return text


def write_ranks(
    across: Across, folder: Path, title: str, command: str | None = None, formats: Sequence[str] = ()
) -> Path:
    """Write the ranks as markdown, and return the file's path.

    With png or svg among the formats, each metric has a picture, `figures/critical_difference_METRIC.svg`.

    Raises:
        RecsysError: If the file cannot be written.
    """
    parts = [f"# {safe_markdown(title)}\n"]
    if across.warnings:
        parts.append("## Warnings\n\n" + "".join(f"- {safe_markdown(warning)}\n" for warning in across.warnings))
    for metric in across.metrics:
        grid = grids.to_markdown(ranks_grid(across, metric))
        pictures = "".join(_pictures(across, metric, folder, formats))
        parts.append(f"## {metric_name(metric)}\n\n{pictures}{grid}\n{safe_markdown(ranks_note(across, metric))}\n")
    if command is not None:
        parts.append(f"## Repeat\n\n```sh\n{command}\n```\n")
    path = folder / REPORT
    write_atomically(path, "\n".join(parts).encode(), OUTPUT)
    return path


def _pictures(across: Across, metric: str, folder: Path, formats: Sequence[str]) -> Iterator[str]:
    """Write the figure of a metric, and yield a link to its first file with the caption."""
    wanted = [format for format in PICTURES if format in formats]
    if not wanted:
        return
    from recsys.reports.plots.ranks import critical_difference_figure

    figure = critical_difference_figure(across.critical_differences[metric], metric)
    for format in wanted:
        write_atomically(folder / FIGURES / f"{figure.name}.{format}", figure.render(format), OUTPUT)
    alternative = safe_markdown(figure.alternative).replace("[", r"\[").replace("]", r"\]")
    yield f"![{alternative}]({FIGURES}/{figure.name}.{wanted[0]})\n\n{safe_markdown(figure.reading)}\n\n"


def _letters(found: CriticalDifference, label: str) -> str:
    """The letters of a cell's groups."""
    names = string.ascii_lowercase
    return "".join(names[place % 26] for place, own in enumerate(found.groups) if label in own) or ABSENT
