"""The report of a comparison as files: words, tables and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from recsys.reports import tables
from recsys.reports.comparison import Comparison
from recsys.reports.findings import findings, headline
from recsys.reports.formatting import metric_name
from recsys.reports.matrix import has_matrix, matrix_note, significance_grid
from recsys.reports.plots import plot_comparison, render
from recsys.reports.spreadsheets import pairs_to_csv, to_csv
from recsys.schema import ConfigError
from recsys.tracking.files import write_atomically
from recsys.tracking.run_id import flatten

FILES = {
    "md": "report.md",
    "csv": "table.csv",
    "pairs": "pairs.csv",
    "tex": "table.tex",
    "png": "plot.png",
    "svg": "plot.svg",
}


def write_report(
    comparison: Comparison, folder: Path, title: str, command: str | None = None, formats: Sequence[str] = tuple(FILES)
) -> dict[str, Path]:
    """Write the report's files into a folder; gives their paths by format.

    Args:
        comparison: What to report.
        folder: Made if need be; files of an earlier report there are replaced.
        title: Of the report.
        command: The command line that makes this report again.
        formats: Out of md, csv, pairs, tex, png and svg.

    Raises:
        ConfigError: If a format is unknown.
        RecsysError: If the folder cannot be written.
    """
    unknown = [format for format in formats if format not in FILES]
    if unknown:
        raise ConfigError(f"formats has {', '.join(map(repr, unknown))}; expected some of {', '.join(FILES)}.")
    figure = cache(lambda: plot_comparison(comparison))
    picture = next((FILES[format] for format in ("png", "svg") if format in formats), None)
    makers: dict[str, Callable[[], bytes]] = {
        "md": lambda: markdown(comparison, title, command, picture).encode(),
        "csv": lambda: to_csv(comparison).encode(),
        "pairs": lambda: pairs_to_csv(comparison).encode(),
        "tex": lambda: _latex(comparison, title).encode(),
        "png": lambda: render(figure(), "png"),
        "svg": lambda: render(figure(), "svg"),
    }
    paths = {format: folder / FILES[format] for format in FILES if format in formats}
    for format, path in paths.items():
        write_atomically(path, makers[format]())
    return paths


def markdown(comparison: Comparison, title: str, command: str | None = None, picture: str | None = None) -> str:
    """The report in words, with its tables."""
    parts = [f"# {title}\n", f"{headline(comparison)}\n"]
    for heading, text in _sections(comparison, command, picture):
        if text:
            parts.append(f"## {heading}\n\n{text.rstrip()}\n")
    return "\n".join(parts)


def _sections(comparison: Comparison, command: str | None, picture: str | None) -> Iterator[tuple[str, str]]:
    metric = metric_name(comparison.metrics[0])
    grid = tables.to_markdown
    yield "Warnings", _bullets(comparison.warnings)
    yield "Findings", _bullets(findings(comparison))
    note = tables.note(comparison).replace(" * ", r" \* ")
    yield "Results", f"{grid(tables.quality_grid(comparison))}\n{note}"
    if has_matrix(comparison):
        yield "All pairs", f"{grid(significance_grid(comparison))}\n{matrix_note(comparison)}"
    yield "Picture", f"![{metric} of each cell with its interval]({picture})\n\n{_PICTURE_NOTE}" if picture else ""
    yield "Cost", f"{grid(tables.cost_grid(comparison))}\n{_COST_NOTE}"
    if comparison.segments.values:
        yield f"{metric} by segment", f"{grid(tables.segment_grid(comparison))}\n{_SEGMENT_NOTE}"
    yield "Failed runs", _failures(comparison)
    yield "Protocol", grid(tables.key_value_grid(list(flatten(comparison.protocol))))
    statistics = list(flatten(comparison.records[0].data_statistics))
    yield "Data", grid(tables.key_value_grid(statistics)) if statistics else ""
    yield "Repeat", _commands(comparison, command)


_PICTURE_NOTE = (
    "Intervals that overlap do not say that two cells are equal: they were tested on the same users, and only the "
    "differences above take that into account."
)
_COST_NOTE = (
    "Seconds of training and test are means over seeds. Encoding is the longest of a cell's runs: what an earlier run "
    "has encoded is found in the cache."
)
_SEGMENT_NOTE = (
    "In `items=…` only a segment's items count as relevant, over the queries that have one; `history=…` groups the "
    "test's queries by the number of interactions that the user is known by. n counts queries; best in bold."
)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _failures(comparison: Comparison) -> str:
    lines = [f"`{run.run_id}` {run.name}, seed {run.seed}: {_last_line(run.error)}" for run in comparison.failures]
    if comparison.left_out:
        lines.append(f"Not in the tables, since some of their seeds failed: {', '.join(comparison.left_out)}.")
    return _bullets(lines)


def _last_line(error: str | None) -> str:
    return (error or "").strip().rsplit("\n", 1)[-1] or "no traceback"


def _commands(comparison: Comparison, command: str | None) -> str:
    lines = [] if command is None else ["# this report", command]
    for row in comparison.rows:
        lines += [f"# {row.label}: {' '.join(row.cell.run_ids)}", row.cell.command]
    block = "\n".join(lines)
    return f"With `rerun=true` added a run is made again; without, it is found.\n\n```sh\n{block}\n```"


def _latex(comparison: Comparison, title: str) -> str:
    caption = f"{title}. {tables.note(comparison)}"
    return tables.to_latex(tables.quality_grid(comparison), caption, "tab:comparison")
