"""Labels beside the dots of a scatter plot, as many as fit without overlap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import altair as alt

from recsys.reports.plots.base import Rows
from recsys.reports.plots.theme import OVER_LINES

_CHARACTER, _LINE, _GAP = 6.2, 13.0, 9.0  # pixels: width of a character, height of a line, gap from dot to label
_SIDES = {"right": (1, 0), "left": (-1, 0), "above": (0, -1), "below": (0, 1)}
_ALIGNED: dict[int, Literal["left", "center", "right"]] = {1: "left", 0: "center", -1: "right"}
_DOT = 5.0
NARROW = 210.0  # width of a plot on a phone in pixels


@dataclass(frozen=True)
class Canvas:
    """A plot's size in pixels and whether its horizontal axis is logarithmic."""

    width: float
    height: float
    log: bool = False


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


def sides(points: Sequence[tuple[float, float, str]], wanted: Sequence[int], canvas: Canvas) -> dict[int, str]:
    """The side of its point on which each label is, by the point's index; labels without room are omitted.

    Args:
        points: x, y and label of each point.
        wanted: Indices of the points to be labelled, the most important first.
        canvas: Size of the plot.

    Example:
        >>> sides([(0.0, 0.0, "a"), (1.0, 1.0, "b")], [1, 0], Canvas(300, 200))
        {1: 'left', 0: 'right'}
    """
    places = list(_pixels(points, canvas))
    taken = [_Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in places]
    found: dict[int, str] = {}
    for place in wanted:
        for side in _SIDES:
            box = _box(places[place], points[place][2], side)
            inside = box.left >= 0 and box.right <= canvas.width and box.top >= -_LINE and box.bottom <= canvas.height
            if inside and not any(box.meets(other) for n, other in enumerate(taken) if n != place):
                found[place] = side
                taken.append(box)
                break
    return found


def label_layers(base: alt.Chart, rows: Rows) -> list[alt.Chart]:
    """Text marks with the `cell` of each row at its `side`."""
    sided = [
        (base.transform_filter(alt.FieldEqualPredicate(field="side", equal=side)), side)
        for side in _SIDES
        if any(side in (row["side"], row["narrow"]) for row in rows)
    ]
    return [_text(chart, side, style) for style in OVER_LINES for chart, side in sided]


def add_sides(rows: Rows, x: str, y: str, first: Sequence[str], canvas: Canvas) -> Rows:
    """Rows with the sides of their labels; the cells `first` are labelled first, others if there is room.

    `side` is for a plot of the canvas's size, `narrow` for a plot on a phone.
    """
    points = [(row[x], row[y], row["cell"]) for row in rows]
    order = sorted(
        range(len(rows)),
        key=lambda place: first.index(rows[place]["cell"]) if rows[place]["cell"] in first else len(first),
    )
    wide = sides(points, order, canvas)
    narrow = sides(points, order, replace(canvas, width=min(canvas.width, NARROW)))
    return [{**row, "side": wide.get(place), "narrow": narrow.get(place)} for place, row in enumerate(rows)]


def _text(chart: alt.Chart, side: str, style: str) -> alt.Chart:
    right, down = _SIDES[side]
    align = _ALIGNED[right]
    return chart.mark_text(style=style, baseline="middle", align=align, dx=right * _GAP, dy=down * (_GAP + 3))


def _pixels(points: Sequence[tuple[float, float, str]], canvas: Canvas) -> Iterator[tuple[float, float]]:
    xs = [math.log(x) if canvas.log else x for x, _, _ in points]
    ys = [y for _, y, _ in points]
    for x, y in zip(_scaled(xs), _scaled(ys), strict=True):
        yield x * canvas.width, (1 - y) * canvas.height


def _scaled(numbers: Sequence[float]) -> list[float]:
    """Numbers scaled to 0.05 to 0.95, the part of an axis with some room at its ends."""
    low, high = min(numbers), max(numbers)
    return [0.5 if low == high else 0.05 + 0.9 * (number - low) / (high - low) for number in numbers]


def _box(point: tuple[float, float], label: str, side: str) -> _Box:
    x, y = point
    right, down = _SIDES[side]
    width = _CHARACTER * len(label)
    left = x + right * _GAP - (width if right < 0 else 0 if right > 0 else width / 2)
    middle = y + down * (_GAP + 3)
    return _Box(left, middle - _LINE / 2, left + width, middle + _LINE / 2)
