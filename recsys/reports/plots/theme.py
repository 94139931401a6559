"""Colours of figures and pages, light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
MEASURED_FONT = "'Liberation Sans', Arial, Helvetica, sans-serif"  # has the widths that files are laid out by
OVER_LINES = ("halo", "label")  # styles of the two layers of a text over lines: its outline, then its letters
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "triangle-right")


@dataclass(frozen=True)
class Colours:
    """A set of colours; text on `page`, `surface` and `soft` has a contrast of 4.5 or more.

    Attributes:
        page: Background of the page.
        surface: Background of figures, tables and cards.
        soft: Background of code, table heads and selected elements.
        text: Text.
        muted: Less important text.
        line: Borders, and grids of figures.
        accent: Links and pressed buttons.
        warning: Borders of warnings.
        categories: Cells or groups of cells, in order. Okabe and Ito's hues, distinguishable with colour blindness,
            darkened or lightened until each has a contrast of 3 or more to the surface; each has a shape too.
        context: Lines of cells without a colour of their own.
        better: Tiles of significantly better cells.
        worse: Tiles of significantly worse cells.
        neutral: Tiles of differences that are not significant.
        ramp: Values from the least to the greatest.
    """

    page: str
    surface: str
    soft: str
    text: str
    muted: str
    line: str
    accent: str
    warning: str
    categories: tuple[str, ...]
    context: str
    better: str
    worse: str
    neutral: str
    ramp: tuple[str, ...]


LIGHT = Colours(
    page="#f6f7f9",
    surface="#ffffff",
    soft="#eef1f5",
    text="#1b1f24",
    muted="#545d69",
    line="#d9dee5",
    accent="#0a5c9e",
    warning="#b25e00",
    categories=("#0072b2", "#c24d00", "#007a5a", "#a8477f", "#8a6100", "#5b4fa8", "#3d4652"),
    context="#9aa3ae",
    better="#9ccbe8",
    worse="#f3b58d",
    neutral="#dde3ea",
    ramp=("#c3cdd8", "#7fb2d6", "#2f7fb8", "#0b4f86", "#06284a"),
)
DARK = Colours(
    page="#111418",
    surface="#191d23",
    soft="#242a32",
    text="#e8ebef",
    muted="#a9b2bd",
    line="#353d47",
    accent="#7cc4f5",
    warning="#e6a23c",
    categories=("#56b4e9", "#f28e4b", "#2fc79a", "#e49ac8", "#e6b422", "#a79bf0", "#c9d0d8"),
    context="#6b7683",
    better="#1c5f8c",
    worse="#8a4416",
    neutral="#363f4a",
    ramp=("#46505c", "#2f6f9f", "#4a9fd3", "#8fcaf0", "#e3f3fd"),
)


def config(colours: Colours, background: str = "transparent") -> dict[str, Any]:
    """Vega-Lite's configuration, with the definitions of the styles that figures use."""
    c = colours
    list_axis = {"grid": False, "domain": False, "ticks": False, "labelOverlap": False}
    return {
        "background": background,
        "font": FONT,
        "lineBreak": "\n",
        "view": {"stroke": None},
        "axis": _axis(c),
        "axisX": {"tickCount": 8},
        "axisBand": list_axis,
        "axisPoint": list_axis,
        "legend": _legend(c),
        "title": {"font": FONT, "color": c.text, "fontSize": 13, "fontWeight": 600, "anchor": "start", "offset": 8},
        "range": {
            "category": list(c.categories),
            "symbol": list(SHAPES),
            "ramp": list(c.ramp),
            "ordinal": [c.better, c.neutral, c.worse],
        },
        "style": _styles(c),
    }


def _words(c: Colours) -> dict[str, Any]:
    """Text settings of axes and legends."""
    labels = {"labelFont": FONT, "labelColor": c.text, "labelFontSize": 12}
    return {**labels, "titleFont": FONT, "titleColor": c.muted, "titleFontSize": 12, "titleFontWeight": 500}


def _axis(c: Colours) -> dict[str, Any]:
    lines = {"gridColor": c.line, "domainColor": c.line, "tickColor": c.line}
    return {**_words(c), **lines, "titlePadding": 8, "labelLimit": 260, "labelOverlap": "greedy"}


def _legend(c: Colours) -> dict[str, Any]:
    symbols = {"symbolSize": 80, "symbolStrokeWidth": 2, "symbolOpacity": 1}
    layout = {"top": {"anchor": "start", "bounds": "full"}}
    return {**_words(c), **symbols, "labelLimit": 240, "columnPadding": 14, "columns": 5, "layout": layout}


def _styles(c: Colours) -> dict[str, dict[str, Any]]:
    users, seeds = {"strokeWidth": 3, "strokeCap": "round"}, {"strokeWidth": 1.2}
    words = {"fontSize": 11, "font": FONT}
    return {
        "label": {**words, "color": c.text},
        "halo": {**words, "color": c.surface, "stroke": c.surface, "strokeWidth": 3.5, "strokeJoin": "round"},
        "note": {**words, "color": c.muted},
        "dot": {"filled": True, "size": 90, "opacity": 1, "stroke": c.surface, "strokeWidth": 1},
        "plain": {"filled": True, "size": 90, "opacity": 1, "color": c.categories[0], "stroke": c.surface},
        "users": users,
        "seeds": seeds,
        "seed": {"color": c.text, "opacity": 0.7},
        "plain-users": {**users, "color": c.categories[0]},
        "plain-seeds": {**seeds, "color": c.categories[0]},
        "reference": {"color": c.muted, "strokeDash": [5, 4], "strokeWidth": 1.2},
        "frontier": {"color": c.muted, "strokeWidth": 1.6, "strokeDash": [2, 3]},
        "context": {"color": c.context, "strokeWidth": 1, "opacity": 0.6},
        "band": {"opacity": 0.16},
        "tile": {"stroke": c.surface, "strokeWidth": 1.5},
        "bar": {"color": c.categories[0]},
        "pole": {"color": c.context, "strokeWidth": 1.5},
        "clique": {"color": c.text, "strokeWidth": 4, "strokeCap": "round"},
    }
