"""Colours and shapes of cells, by a config group in which cells differ, preferably the encoder."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt

from recsys.reports.comparison import Comparison, Row
from recsys.reports.plots.theme import SHAPES

_GROUPS = ("encoder", "ranker", "profile", "loss", "features")
_NONE = {"encoder": "no text"}


@dataclass(frozen=True)
class Families:
    """Cells by their option of one config group.

    Attributes:
        group: The config group; None if no group has two to seven options among the cells.
        names: Names of the options, in a fixed order.
    """

    group: str | None
    names: list[str]

    def of(self, row: Row) -> str:
        """A cell's option of the group."""
        return _choice(row, self.group) if self.group else "all"

    @property
    def title(self) -> str:
        """Title of the legend."""
        return self.group or ""

    def colour(self) -> alt.Color:
        """The encoding as colours."""
        return alt.Color("family:N", title=self.title, scale=alt.Scale(domain=self.names), legend=self._legend())

    def shape(self) -> alt.Shape:
        """The encoding as shapes, which share the legend of the colours."""
        return alt.Shape("family:N", title=self.title, scale=alt.Scale(domain=self.names), legend=self._legend())

    def _legend(self) -> alt.Legend | None:
        return alt.Legend(orient="top", direction="horizontal") if len(self.names) > 1 else None


def families(comparison: Comparison) -> Families:
    """Cells by the first config group of which they have two to seven options."""
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
