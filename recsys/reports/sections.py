"""A section of a report before rendering: sentences, figures and tables; the same for every format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recsys.reports.grids import Grid

if TYPE_CHECKING:
    from recsys.reports.plots.base import Figure


@dataclass(frozen=True)
class Table:
    """A table with its caption and a note about its numbers."""

    caption: str
    grid: Grid
    note: str = ""


@dataclass(frozen=True)
class Details:
    """Sentences and tables that the page shows after a click on the summary."""

    summary: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        name: Anchor.
        title: Heading.
        sentences: Sentences, one for each list item.
        figures: Figures, in order.
        tables: Tables, in order.
        code: Command lines.
        details: Parts after the tables that the page shows after a click.
    """

    name: str
    title: str
    sentences: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    code: str = ""
    details: list[Details] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.sentences or self.figures or self.tables or self.code or self.details)
