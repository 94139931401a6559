"""The report of a comparison or study as files: a page, markdown, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.reports import grids
from recsys.reports.comparison import Comparison
from recsys.reports.findings import headline
from recsys.reports.formatting import safe_markdown
from recsys.reports.methods import bibliography, methods
from recsys.reports.paper import paper_table
from recsys.reports.preface import Preface
from recsys.reports.spreadsheets import pairs_to_csv, segments_to_csv, to_csv
from recsys.reports.verdict import verdict
from recsys.schema import ConfigError
from recsys.support.whole_files import OUTPUT, write_atomically
from recsys.tracking.study_record import StudyRecord

if TYPE_CHECKING:
    from recsys.reports.plots.base import Figure
    from recsys.reports.sections import Section, Table

FIGURES = "figures"
FILES = {
    "html": "report.html",
    "md": "report.md",
    "csv": "table.csv",
    "pairs": "pairs.csv",
    "segments": "segments.csv",
    "tex": "table.tex",
    "methods": "methods.txt",
    "bib": "references.bib",
    "png": FIGURES,
    "svg": FIGURES,
}
PICTURES = ("svg", "png")
_MOST_TEX_ROWS = 100  # most rows of a LaTeX table


def write_report(
    comparison: Comparison,
    folder: Path,
    title: str,
    command: str | None = None,
    formats: Sequence[str] = tuple(FILES),
    study: StudyRecord | None = None,
    preface: Preface | None = None,
    examples: Sequence[Section] = (),
) -> dict[str, Path]:
    """Write the report's files into a folder.

    Every figure is `figures/NAME.svg` and `figures/NAME.png`. With csv and tex among the formats, its numbers are
    `figures/NAME.csv` and, if they have at most 100 rows, `figures/NAME.tex`.

    Args:
        comparison: The reported comparison.
        folder: The folder, created if necessary; files of an earlier report are replaced.
        title: Title of the report.
        command: The command line that makes this report again.
        formats: Some of html, md, csv, pairs, segments, tex, methods, bib, png and svg.
        study: Study of the runs; it adds the ablation and the search.
        preface: A beginning that replaces the headline and the first answers.
        examples: Sections of single users, placed before the costs; see `recsys.reports.user_examples`.

    Returns:
        The file of each format; for svg and png the folder of figures.

    Raises:
        ConfigError: If a format is unknown.
        RecsysError: If the folder cannot be written.
    """
    unknown = [format for format in formats if format not in FILES]
    if unknown:
        raise ConfigError(f"formats has {', '.join(map(repr, unknown))}; expected some of {', '.join(FILES)}.")
    from recsys.reports.document import sections as make_sections

    preface = preface or Preface(headline(comparison))
    sections = [*preface.sections, *_with(examples, make_sections(comparison, command, study))]
    figures = [figure for section in sections for figure in section.figures]
    picture = next((format for format in PICTURES if format in formats), None)
    makers: dict[str, Callable[[], str]] = {
        "html": lambda: _page(comparison, sections, title, command, preface, study, folder),
        "md": lambda: markdown(comparison, sections, title, picture, preface),
        "csv": lambda: to_csv(comparison),
        "pairs": lambda: pairs_to_csv(comparison),
        "segments": lambda: segments_to_csv(comparison),
        "methods": lambda: methods(comparison, study) + "\n",
        "bib": lambda: bibliography(comparison),
        "tex": lambda: paper_table(comparison, f"{title}."),
    }
    for format, make in makers.items():
        if format in formats:
            write_atomically(folder / FILES[format], make().encode(), OUTPUT)
    write_figures(figures, folder / FIGURES, formats)
    return {format: folder / FILES[format] for format in FILES if format in formats}


def _with(examples: Sequence[Section], sections: list[Section]) -> list[Section]:
    """The sections with the examples before the costs."""
    place = next((n for n, section in enumerate(sections) if section.name == "cost"), len(sections))
    return [*sections[:place], *examples, *sections[place:]]


def markdown(
    comparison: Comparison,
    sections: Iterable[Section],
    title: str,
    picture: str | None = None,
    preface: Preface | None = None,
) -> str:
    """The report in markdown; figures are links to files of the format `picture`, and omitted if it is None."""
    preface = preface or Preface(headline(comparison))
    parts = [f"# {safe_markdown(title)}\n", f"{safe_markdown(preface.sentence)}\n"]
    for own in preface.answers or verdict(comparison):
        details = "\n".join(f"- {safe_markdown(detail)}" for detail in own.details)
        parts.append(f"**{own.question}** {safe_markdown(own.answer)}\n\n{details}\n")
    for section in sections:
        text = "\n\n".join(blocks(section, picture))
        if text:
            parts.append(f"## {safe_markdown(section.title)}\n\n{text.rstrip()}\n")
    return "\n".join(parts)


def blocks(section: Section, picture: str | None) -> Iterable[str]:
    """A section in markdown: its sentences, figures, tables and code."""
    if section.sentences:
        yield "\n".join(f"- {safe_markdown(sentence)}" for sentence in section.sentences)
    if picture is not None:
        for figure in section.figures:
            alternative = re.sub(r"([\[\]])", r"\\\1", safe_markdown(figure.alternative))
            title, reading = map(safe_markdown, (figure.title, figure.reading))
            yield f"### {title}\n\n![{alternative}]({FIGURES}/{figure.name}.{picture})\n\n{reading}"
    yield from map(_table, section.tables)
    for own in section.details:
        sentences = "\n".join(f"- {safe_markdown(sentence)}" for sentence in own.sentences)
        yield "\n\n".join([f"### {safe_markdown(own.summary)}", sentences, *map(_table, own.tables)])
    if section.code:
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", section.code)), default=0))
        yield f"{fence}sh\n{section.code}\n{fence}"


def _table(table: Table) -> str:
    note = safe_markdown(table.note).replace(" * ", r" \* ")
    return f"{grids.to_markdown(table.grid)}{note and chr(10)}{note}"


def _page(
    comparison: Comparison,
    sections: list[Section],
    title: str,
    command: str | None,
    preface: Preface,
    study: StudyRecord | None,
    folder: Path,
) -> str:
    from recsys.reports.html.page import page

    return page(comparison, sections, title, command, preface if preface.answers else None, study, folder)


def write_figures(figures: Iterable[Figure], folder: Path, formats: Sequence[str]) -> None:
    """Write figures as svg and png, and their numbers as csv and tex, if these are among the formats."""
    if not any(format in formats for format in PICTURES):
        return
    for figure in figures:
        for format in PICTURES:
            if format in formats:
                write_atomically(folder / f"{figure.name}.{format}", figure.render(format), OUTPUT)
        if "csv" in formats:
            write_atomically(folder / f"{figure.name}.csv", figure.csv().encode(), OUTPUT)
        if "tex" in formats and len(figure.data.rows) <= _MOST_TEX_ROWS:
            text = grids.to_latex(figure.data, f"{figure.title}. {figure.alternative}", f"tab:{figure.name}")
            write_atomically(folder / f"{figure.name}.tex", text.encode(), OUTPUT)
