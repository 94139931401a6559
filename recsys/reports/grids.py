"""Grids of entries, rendered for the terminal, markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from recsys.support.text_tables import TextTable

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "–": "--",
    "<": "$<$",
    ">": "$>$",
    "α": r"$\alpha$",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "\N{NO-BREAK SPACE}": "~",
}


@dataclass(frozen=True)
class Entry:
    """A table's entry.

    Attributes:
        text: The shown text.
        is_best: Whether it is the best value of its column.
        is_marked: Whether it is marked as significant.
        value: The number in full precision, by which a column is sorted; None for texts and missing values.
        link: Address of a link on the page; empty for none.
        anchor: Id of the row on the page, for a first entry; empty for none.
        is_command: Whether it is a command line, which the page can copy.
    """

    text: str
    is_best: bool = False
    is_marked: bool = False
    value: float | None = None
    link: str = ""
    anchor: str = ""
    is_command: bool = False


@dataclass(frozen=True)
class Grid:
    """A table before it is rendered; the first column names the rows."""

    headers: list[str]
    rows: list[list[Entry]]


def to_rich(grid: Grid, title: str | None = None, optional: Sequence[str] = ()) -> TextTable:
    """A table for the terminal; a narrow terminal leaves out the `optional` columns, in this order."""
    return TextTable(grid.headers, [[_rich(entry) for entry in row] for row in grid.rows], title, optional)


def to_markdown(grid: Grid) -> str:
    """A GitHub-flavoured table."""
    lines = [map(_escape_markdown, grid.headers), ["---", *(["---:"] * (len(grid.headers) - 1))]]
    lines += [[_markdown(entry) for entry in row] for row in grid.rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def to_latex(grid: Grid, caption: str = "", label: str = "") -> str:
    r"""A booktabs table, for `\input` into a paper that uses the package booktabs."""
    head = [latex_row(escape_latex(header) for header in grid.headers)]
    body = [latex_row(map(_latex, row)) for row in grid.rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{escape_latex(caption)}}}"] if caption else []),
        *([rf"\label{{{label}}}"] if label else []),
        rf"\begin{{tabular}}{{l{'r' * (len(grid.headers) - 1)}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _starred(entry: Entry) -> str:
    return f"{entry.text}*" if entry.is_marked else entry.text


def _rich(entry: Entry) -> Text:
    """Without the space inside an interval, at which a narrow terminal would break the line."""
    return Text(_starred(entry).replace("\N{NO-BREAK SPACE}", ""), style="bold" if entry.is_best else "")


def _markdown(entry: Entry) -> str:
    text = _escape_markdown(_starred(entry))
    return f"**{text}**" if entry.is_best else text


def _escape_markdown(text: str) -> str:
    return _replace(" ".join(text.splitlines()), {character: f"\\{character}" for character in r"\|*_`<[]"})


def _latex(entry: Entry) -> str:
    text = escape_latex(entry.text)
    text = rf"\textbf{{{text}}}" if entry.is_best else text
    return rf"{text}$^{{*}}$" if entry.is_marked else text


def latex_row(cells: Iterable[str]) -> str:
    r"""A row of a table. `{}` protects a bracket or star at its begin, which LaTeX would read as an option of `\\`."""
    row = " & ".join(cells)
    return rf"{'{}' if row.startswith(('[', '*')) else ''}{row} \\"


def escape_latex(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return _replace(text, _LATEX)


def _replace(text: Iterable[str], replacements: dict[str, str]) -> str:
    return "".join(replacements.get(character, character) for character in text)


def key_value_grid(pairs: Sequence[tuple[str, object]]) -> Grid:
    """Keys and values as a table with two columns."""
    return Grid(["", "value"], [[Entry(key), Entry("null" if value is None else str(value))] for key, value in pairs])
