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
        text: What is shown.
        is_best: Of its column.
        is_marked: As significant.
        value: The number behind the text, by which a column is sorted; None for words and for what is absent.
        link: The address that the page links the text to; empty for none.
        anchor: The id of the row in the page, if this is its first entry; empty for none.
        is_command: Of a terminal; the page has a button that copies it.
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
    """For the terminal; `optional` headers may be left out where it is narrow, the least important first."""
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
    """Without the space inside an interval, where a narrow terminal would break the line."""
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
    r"""A row; after the `\\` of the one before, LaTeX reads a bracket or star as an option."""
    row = " & ".join(cells)
    return rf"{'{}' if row.startswith(('[', '*')) else ''}{row} \\"


def escape_latex(text: str) -> str:
    """Text in which no character is a command of LaTeX."""
    return _replace(text, _LATEX)


def _replace(text: Iterable[str], replacements: dict[str, str]) -> str:
    return "".join(replacements.get(character, character) for character in text)


def key_value_grid(pairs: Sequence[tuple[str, object]]) -> Grid:
    """Two columns of what is not a comparison, such as a protocol."""
    return Grid(["", "value"], [[Entry(key), Entry("null" if value is None else str(value))] for key, value in pairs])
