"""The meaning of cells' colours and shapes: a config group in which cells differ, the encoder first."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt

from recsys.reports.comparison import Comparison, Row
from recsys.reports.plots.theme import SHAPES

_GROUPS = ("encoder", "ranker", "profile", "loss", "features")
_NONE = {"encoder": "no text"}


@dataclass(frozen=True)
class Families:
    """Cells by their choice in one config group.

    Attributes:
        group: The config group; None if cells do not differ in any that has few enough choices.
        names: Of the choices, in a fixed order.
    """

    group: str | None
    names: list[str]

    def of(self, row: Row) -> str:
        """A cell's family."""
        return _choice(row, self.group) if self.group else "all"

    @property
    def title(self) -> str:
        """Of the legend."""
        return self.group or ""

    def colour(self) -> alt.Color:
        """The encoding."""
        return alt.Color("family:N", title=self.title, scale=alt.Scale(domain=self.names), legend=self._legend())

    def shape(self) -> alt.Shape:
        """The encoding; its legend is one with the colours'."""
        return alt.Shape("family:N", title=self.title, scale=alt.Scale(domain=self.names), legend=self._legend())

    def _legend(self) -> alt.Legend | None:
        return alt.Legend(orient="top", direction="horizontal") if len(self.names) > 1 else None


def families(comparison: Comparison) -> Families:
    """The first config group in which cells have two to seven choices."""
    for group in _GROUPS:
        names = sorted(
            {_choice(row, group) for row in comparison.rows}, key=lambda name: (name in _NONE.values(), name)
        )
        if 1 < len(names) <= len(SHAPES):
            return Families(group, names)
    return Families(None, ["all"])


def _choice(row: Row, group: str) -> str:
    choice = str(row.cell.choices.get(group) or "none")
    return _NONE.get(group, "none") if choice == "none" else choice
