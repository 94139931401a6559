"""Tables for the terminal, all of one look; every text is shown literally, whatever characters it has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich import box
from rich.style import StyleType
from rich.table import Table
from rich.text import Text


def text_table(
    headers: Sequence[str],
    rows: Iterable[Iterable[str | Text]] = (),
    title: str | None = None,
    words: Collection[str] = (),
    unbroken: Collection[str] = (),
) -> Table:
    """A table whose first column has names and whose others have numbers, which are aligned to the right.

    Args:
        headers: Of the columns.
        rows: Their entries; further ones are added by `add_row`.
        title: Above it.
        words: Headers of further columns that are aligned to the left.
        unbroken: Headers of columns whose entries stay on one line.
    """
    shown = None if title is None else Text(title)
    table = Table(title=shown, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for place, header in enumerate(headers):
        is_left = place == 0 or header in words
        table.add_column(
            Text(header), justify="left" if is_left else "right", no_wrap=header in unbroken, overflow="fold"
        )
    for row in rows:
        add_row(table, row)
    return table


def add_row(table: Table, entries: Iterable[str | Text], style: StyleType | None = None) -> None:
    """Add a row of literal texts."""
    table.add_row(*(Text(entry) if isinstance(entry, str) else entry for entry in entries), style=style)
