"""HTML for notebooks: a card with a table, a note and a picture. All texts are escaped."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from recsys.reports.grids import Entry, Grid

_CARD = "border:1px solid #8886;border-radius:6px;padding:8px 14px;max-width:860px;display:inline-block"
_NOTE = "opacity:.75;font-size:90%;max-width:820px"


def card(title: str, body: str, note: str = "") -> str:
    """A frame with a title.

    Args:
        title: Title, as text.
        body: Content, as HTML.
        note: Note below the content, as text.
    """
    below = f'<div style="{_NOTE}">{escape(note)}</div>' if note else ""
    return f'<div style="{_CARD}"><b>{escape(title)}</b>{body}{below}</div>'


def table_html(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts, whose first column is left-aligned.

    Example:
        >>> table_html([], [("users", "<5")])
        '<table><tbody><tr><td style="text-align:left">users</td><td>&lt;5</td></tr></tbody></table>'
    """
    return grid_html(Grid(list(headers), [[Entry(text) for text in row] for row in rows]))


def grid_html(grid: Grid) -> str:
    """A grid as an HTML table; the best values are bold, and significant ones have an asterisk."""
    head = "".join(f"<th{_side(place)}>{escape(text)}</th>" for place, text in enumerate(grid.headers))
    lines = ("".join(f"<td{_side(place)}>{_shown(entry)}</td>" for place, entry in enumerate(row)) for row in grid.rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def list_html(title: str, lines: Sequence[str]) -> str:
    """Texts as a list with a title; nothing without texts.

    Example:
        >>> list_html("Warnings", ["few users"])
        '<div>Warnings</div><ul><li>few users</li></ul>'
    """
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<div>{escape(title)}</div><ul>{items}</ul>" if lines else ""


def picture_html(svg: bytes, alternative: str) -> str:
    """An SVG picture, embedded as an image on white, so that its scripts are not executed."""
    content = base64.b64encode(svg).decode()
    style = "max-width:100%;background:#fff"
    return f'<img style="{style}" alt="{escape(alternative)}" src="data:image/svg+xml;base64,{content}">'


def _side(place: int) -> str:
    return ' style="text-align:left"' if place == 0 else ""


def _shown(entry: Entry) -> str:
    text = escape(entry.text) + ("*" if entry.is_marked else "")
    return f"<b>{text}</b>" if entry.is_best else text
