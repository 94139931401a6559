"""A section of a report before it is rendered: sentences, figures and tables; the same for every format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recsys.reports.grids import Grid

if TYPE_CHECKING:
    from recsys.reports.plots.base import Figure


@dataclass(frozen=True)
class Table:
    """A table with its caption and what its numbers are."""

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
        name: Its anchor.
        title: Its heading.
        sentences: One for each point.
        figures: In order.
        tables: In order.
        code: Command lines.
        details: After the tables.
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
