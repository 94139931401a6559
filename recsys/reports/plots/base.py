"""A figure of a report: a Vega-Lite specification with its texts and data, for pages and for files."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import altair as alt

from recsys.reports.formatting import number
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.theme import FONT, LIGHT, MEASURED_FONT, config
from recsys.reports.spreadsheets import grid_to_csv

WIDTH = 640  # width of a plot without its axis, in pixels at scale 1
PANEL_WIDTH = 250  # width of one of several panels, in pixels
MOST_ROWS = 40  # most cells in a list
STEP = 26  # height of a line of a list of cells, in pixels
_SCALE = 2
_LEFT = 28  # pixels left of the labels of files, which a browser without the measured font draws wider
_VALIDATES = ContextVar("validates", default=True)

Rows = list[dict[str, Any]]
Layers = alt.LayerChart | alt.FacetChart  # altair's types of layers


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        name: Name of its files, without ending.
        title: Title.
        reading: Caption: how to read it.
        alternative: Alternative text for readers who cannot see it.
        spec: Vega-Lite specification, without colours, which are in `theme.config`.
        data: The shown numbers, as a table.
        min_width: Least width in pixels; a narrower page scrolls the figure.
    """

    name: str
    title: str
    reading: str
    alternative: str
    spec: dict[str, Any]
    data: Grid
    min_width: int = 0

    def render(self, format: str) -> bytes:
        """The picture as "svg" or "png", on white. Equal figures give equal bytes."""
        import vl_convert

        padding = {"left": _LEFT, "right": 12, "top": 12, "bottom": 12}
        spec = {**self.spec, "config": config(LIGHT, background=LIGHT.surface), "padding": padding}
        spec["description"] = self.alternative
        if format == "svg":
            return vl_convert.vegalite_to_svg(spec, vl_version=_version(spec)).replace(FONT, MEASURED_FONT).encode()
        return vl_convert.vegalite_to_png(spec, vl_version=_version(spec), scale=_SCALE)

    def csv(self) -> str:
        """The data as csv."""
        return grid_to_csv(self.data)


def to_spec(chart: alt.TopLevelMixin, data: Mapping[str, Rows]) -> dict[str, Any]:
    """The validated specification of a chart with named data, which are inserted after the slow validation."""
    spec: dict[str, Any] = copy.deepcopy(chart.to_dict(validate=_VALIDATES.get()))
    spec.pop("config", None)
    return {**spec, "datasets": {name: _finite(rows) for name, rows in data.items()}}


@contextmanager
def without_validation() -> Iterator[None]:
    """Skip the validation of specifications within the block, for figures that only differ in data from a valid one."""
    token = _VALIDATES.set(False)
    try:
        yield
    finally:
        _VALIDATES.reset(token)


def named(name: str) -> alt.NamedData:
    """A reference to data that `to_spec` inserts."""
    return alt.NamedData(name=name)


def cell_axis(labels: Iterable[str], title: str | None = None, field: str = "cell") -> alt.Y:
    """An axis with a line for each cell, from the top in this order; a label's part in brackets is below its name.

    The order is set by the scale's domain, since Vega-Lite silently drops a sort in layers with several data sets.
    """
    axis = alt.Axis(title=title, labelExpr="split(replace(datum.label, ' (', '\\n('), '\\n')", labelPadding=8)
    return alt.Y(f"{field}:N", scale=alt.Scale(domain=list(labels)), axis=axis)


def panels(charts: Sequence[Layers], columns: int) -> alt.ConcatChart:
    """Charts side by side under one legend; the page sets the number of columns that fits."""
    sized = [chart.properties(width=PANEL_WIDTH) for chart in charts]
    return alt.concat(*sized, columns=columns, spacing=28)


def step(labels: Iterable[str]) -> int:
    """The height of a line in pixels; more if a label takes two lines."""
    return STEP + 10 if any(" (" in label for label in labels) else STEP


def and_more(n: int, shown: int, what: str = "cells", baseline: bool = False) -> str:
    """A sentence about the cells that a figure omits; empty if it shows all.

    Args:
        n: Number of all cells.
        shown: Number of drawn cells.
        what: Plural of what is drawn.
        baseline: Whether the last drawn cell is the baseline, which is not among the first ones.

    Example:
        >>> and_more(50, 41, baseline=True)
        ' The first 40 of 50 cells and the baseline are drawn; the table has all.'
    """
    drawn = f"{shown - 1} of {n} {what} and the baseline" if baseline else f"{shown} of {n} {what}"
    return f" The first {drawn} are drawn; the table has all." if n > shown else ""


def numbers(values: Iterable[float | None], signed: bool = False) -> list[Entry]:
    """Numbers as entries of a figure's table."""
    return [Entry(number(value, signed), value=value) for value in values]


def _finite(rows: Rows) -> Rows:
    return [{key: _drawn(value) for key, value in row.items()} for row in rows]


def _drawn(value: Any) -> Any:
    """A value as it is drawn, with six significant digits, which suffice for a screen."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _version(spec: Mapping[str, Any]) -> str:
    """The version of Vega-Lite, as vl-convert names it: "6.1" for ".../v6.1.0.json"."""
    return ".".join(str(spec["$schema"]).rsplit("/v", 1)[1].split(".")[:2])
