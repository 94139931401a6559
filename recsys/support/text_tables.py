"""Tables for the terminal, all in one style; columns are left out before a word or a number is broken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

GAP, RULED_GAP = 2, 3  # width between two columns: spaces only, or with Rich's line


@dataclass
class TextTable:
    """A table as wide as the terminal allows; every text is shown literally.

    Texts are broken at spaces. If the longest words of all columns do not fit side by side, columns of `optional`
    are left out in their order, and a line below names them; only then are long words broken.

    Attributes:
        headers: The columns' headers, all distinct.
        rows: The texts, row by row.
        title: Above the table.
        optional: Headers of columns that a narrow terminal may leave out, the least important first.
        words: Headers of columns that are left-aligned, as for words; the first column always is.
        is_ruled: Whether lines separate the columns.
    """

    headers: Sequence[str]
    rows: Iterable[Sequence[Text | str]] = field(default=(), repr=False)
    title: str | None = None
    optional: Sequence[str] = ()
    words: Collection[str] = ()
    is_ruled: bool = False

    def __post_init__(self) -> None:
        self._rows: list[list[Text]] = []
        for row in self.rows:
            self.add(*row)

    def add(self, *entries: Text | str, style: str = "") -> None:
        """Add a row."""
        self._rows.append([Text(entry, style) if isinstance(entry, str) else entry for entry in entries])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, and the names of the columns that are left out."""
        shown, left_out = list(range(len(self.headers))), []
        for header in self.optional:
            if sum(map(self._narrowest, shown)) + self._gap * len(shown) <= options.max_width:
                break
            if header in self.headers:
                shown.remove(self.headers.index(header))
                left_out.append(header)
        yield self._table(shown, options.max_width)
        if left_out:
            yield Text(f"Left out at this width: {', '.join(left_out)}.", style="dim")
        yield Text()

    def _table(self, shown: Sequence[int], width: int) -> Table:
        title = None if self.title is None else Text(self.title)
        table = Table(title=title, title_justify="left", show_edge=False)
        table.box, table.padding = (box.MINIMAL, (0, 1, 0, 1)) if self.is_ruled else (box.SIMPLE_HEAD, (0, 1, 0, 0))
        for column, size in zip(shown, self._widths(shown, width), strict=True):
            justify: JustifyMethod = "left" if self._is_words(column) else "right"
            table.add_column(Text(self.headers[column]), justify=justify, width=size, overflow="fold")
        for row in self._rows:
            table.add_row(*(row[column] for column in shown))
        return table

    def _widths(self, shown: Sequence[int], width: int) -> list[int]:
        """The width of each column: at least its longest word. Further room goes first to columns that need least."""
        widths = [self._narrowest(column) for column in shown]
        whole = [max(map(_longest_line, [self.headers[column], *self._texts(column)])) for column in shown]
        room = width - sum(widths) - self._gap * len(shown)
        narrowed = [place for place, column in enumerate(shown) if self._is_words(column)]
        while room < 0 and max(widths[place] for place in narrowed) > 1:
            widest = max(narrowed, key=lambda place: widths[place])
            widths[widest] -= 1
            room += 1
        for place in sorted(range(len(shown)), key=lambda place: whole[place] - widths[place]):
            more = min(whole[place] - widths[place], max(0, room))
            widths[place] += more
            room -= more
        return widths

    def _narrowest(self, column: int) -> int:
        """The least width of a column: words may be broken at each space, numbers only before an interval."""
        is_words = self._is_words(column)
        parts = (text.split() if is_words else text.split(" [") for text in self._texts(column))
        sizes = (cell_len(part) + (not is_words and n > 0) for found in parts for n, part in enumerate(found))
        return max(sizes, default=0)

    @property
    def _gap(self) -> int:
        return RULED_GAP if self.is_ruled else GAP

    def _is_words(self, column: int) -> bool:
        return column == 0 or self.headers[column] in self.words

    def _texts(self, column: int) -> list[str]:
        """The words of a column's header and its entries, without style."""
        return [*self.headers[column].split(), *(row[column].plain for row in self._rows)]


def _longest_line(text: str) -> int:
    return max((cell_len(line) for line in text.splitlines()), default=0)


def readable(name: str, value: Any) -> str:
    """A statistic as text, shares in percent.

    Example:
        >>> readable("density", 0.0164), readable("interactions", 9000), readable("per_user_mean", 3.25)
        ('1.64%', '9,000', '3.2')
    """
    if value is None:
        return "does not apply"
    if name in ("density", "with_text", "tied_cuts", "cold_users", "cold_items", "cold_after_refit"):
        return f"{value:.2%}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
