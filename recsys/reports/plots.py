"""The picture of a comparison: one dot with its interval for each cell."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys.reports.cells import group_by
from recsys.reports.comparison import Comparison, Row, recorded_name
from recsys.reports.formatting import metric_name, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; shapes tell them apart in black and white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_GREY = "#595959"


@dataclass(frozen=True)
class _Place:
    """A line of the plot: a cell, or the name of a group of cells."""

    y: float
    text: str
    row: Row | None = None


def plot_comparison(comparison: Comparison) -> Figure:
    """Cells by the first metric, grouped by ranker and coloured by encoder; the baseline as a dashed line."""
    from matplotlib.figure import Figure

    places = list(_places(comparison.rows))
    height = 1.3 + (0.26 if len(places) < 60 else 0.17) * len(places)
    figure = Figure(figsize=(8.5, height), layout="constrained")
    axes = figure.add_subplot()
    metric = comparison.metrics[0]
    for encoder, colour, marker in _styles(comparison.rows):
        chosen = [place for place in places if place.row is not None and _encoder(place.row) == encoder]
        _draw_cells(axes, chosen, metric, colour, marker, encoder)
    _draw_baseline(axes, comparison)
    _label(axes, places, comparison)
    return figure


def render(figure: Figure, format: str) -> bytes:
    """The bytes of a picture, the same for the same figure."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "recsys", "svg.fonttype": "none"}):
        metadata = {"Date": None} if format == "svg" else {"Software": None}
        figure.savefig(content, format=format, dpi=160, metadata=metadata, facecolor="white")
    return content.getvalue()


def _places(rows: Sequence[Row]) -> Iterator[_Place]:
    """From the top down: groups in the order of their best cell, cells in their own order."""
    y = 0.0
    for ranker, own in group_by(rows, lambda row: str(row.cell.choices.get("ranker", ""))).items():
        if [row.label for row in own] != [ranker]:
            yield _Place(y, ranker)
        else:
            y += 1
        for row in own:
            y -= 1
            yield _Place(y, row.label, row)
        y -= 1.3


def _encoder(row: Row) -> str:
    encoder = str(row.cell.choices.get("encoder", "none"))
    return "no text" if encoder == "none" else encoder


def _styles(rows: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    for place, encoder in enumerate(
        sorted({_encoder(row) for row in rows}, key=lambda name: (name == "no text", name))
    ):
        colour = _GREY if encoder == "no text" else _COLOURS[place % len(_COLOURS)]
        yield encoder, colour, _MARKERS[place % len(_MARKERS)]


def _draw_baseline(axes: Axes, comparison: Comparison) -> None:
    if comparison.baseline is not None:
        value = comparison.row(comparison.baseline).scores[comparison.metrics[0]].mean
        axes.axvline(
            value, color=_GREY, linestyle="--", linewidth=1, zorder=1, label=f"baseline: {comparison.baseline}"
        )


def _draw_cells(axes: Axes, places: Sequence[_Place], metric: str, colour: str, marker: str, name: str) -> None:
    for place in places:
        assert place.row is not None
        score = place.row.scores[metric]
        if score.low is not None and score.high is not None:
            axes.plot(
                [score.low, score.high], [place.y] * 2, color=colour, linewidth=2, solid_capstyle="round", zorder=2
            )
        seeds = [record.metrics[recorded_name(metric)] for record in place.row.cell.records]
        axes.plot(seeds, [place.y] * len(seeds), "|", color=colour, markersize=9, alpha=0.6, zorder=3)
        axes.annotate(
            number(score.mean),
            (score.mean if score.high is None else score.high, place.y),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="#262626",
        )
    means = [place.row.scores[metric].mean for place in places if place.row is not None]
    axes.plot(means, [place.y for place in places], marker, color=colour, markersize=6, zorder=4, label=name)


def _label(axes: Axes, places: Sequence[_Place], comparison: Comparison) -> None:
    ticks = axes.set_yticks([place.y for place in places], [place.text for place in places])
    for tick, place in zip(ticks, places, strict=True):
        if place.row is None:
            tick.label1.set_fontweight("bold")
            tick.tick1line.set_visible(False)
    seeds = len(comparison.seeds)
    axes.set_xlabel(
        f"{metric_name(comparison.metrics[0])} on the test\n"
        f"marker: mean over {comparison.n_users} users and {seeds} seed{'s' if seeds > 1 else ''}; "
        f"bar: {comparison.level:.0%} interval over users; ticks: seeds"
    )
    axes.margins(x=0.12)
    axes.set_ylim(min(place.y for place in places) - 0.8, 0.8)
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9, title="encoder", alignment="left"
    )
