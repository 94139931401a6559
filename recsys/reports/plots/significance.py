"""The significance matrix: the differences of all pairs of cells."""

from __future__ import annotations

from typing import Any

import altair as alt

from recsys.reports.comparison import Comparison
from recsys.reports.formatting import all_of, counted, interval, metric_name, number, p_value
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import Figure, cell_axis, named, step, to_spec
from recsys.reports.scores import Pair

MOST = 20  # most cells in the matrix
_TILE = 46
_STATES = ["row better", "not significant", "row worse"]


def significance_matrix(comparison: Comparison) -> Figure | None:
    """The matrix of the first MOST cells by the first metric; None without pairs."""
    metric = comparison.metrics[0]
    pairs = comparison.pairs(metric)
    if not pairs:
        return None
    labels = [row.label for row in comparison.rows][:MOST]
    rows = [
        _tile(pair, comparison) for own in pairs if own.a in labels and own.b in labels for pair in (own, own.reversed)
    ]
    x = alt.X(
        "other:N",
        scale=alt.Scale(domain=labels),
        title="column",
        axis=alt.Axis(orient="top", labelAngle=-40, labelLimit=220),
    )
    base = alt.Chart(named("rows")).encode(x=x, y=cell_axis(labels, "row"))
    colour = alt.Color("state:N", title=None, scale=alt.Scale(domain=_STATES, range="ordinal"))
    tips = [
        alt.Tooltip("cell:N", title="row"),
        alt.Tooltip("other:N", title="column"),
        alt.Tooltip("full:N", title="row minus column"),
        alt.Tooltip("p:N", title="p (corrected)"),
    ]
    tiles = base.mark_rect(style="tile").encode(color=colour.legend(orient="top"), tooltip=tips)
    texts = base.mark_text(style="label").encode(text="text:N")
    chart = alt.layer(tiles, texts).properties(width=alt.Step(_TILE), height=alt.Step(step(labels)))
    n_clear = sum(comparison.is_significant(pair.difference) for pair in pairs)
    return Figure(
        "significance",
        f"Significance matrix: {metric_name(metric)}",
        f"Each tile is the row's mean minus the column's on the same users; coloured where p < "
        f"{comparison.inference.alpha:g} after the correction for {all_of(len(pairs), 'pair')}."
        f"{_more(len(comparison.rows), len(labels))}",
        f"{n_clear} of {counted(len(pairs), 'pair')} of cells differ significantly in {metric_name(metric)}.",
        to_spec(chart, {"rows": rows}),
        _pair_grid([pair for pair in pairs if pair.a in labels and pair.b in labels]),
        min_width=190 + _TILE * len(labels),
    )


def _more(n: int, shown: int) -> str:
    return f" The best {shown} of {n} cells are drawn; pairs.csv has all pairs." if n > shown else ""


def _tile(pair: Pair, comparison: Comparison) -> dict[str, Any]:
    own = pair.difference
    better = comparison.is_better(own, comparison.metrics[0])
    state = _STATES[0 if better else 2] if comparison.is_significant(own) else _STATES[1]
    return {
        "cell": pair.a,
        "other": pair.b,
        "state": state,
        "text": _short(own.mean),
        "full": f"{number(own.mean, signed=True)} {interval(own.low, own.high, signed=True)}",
        "p": p_value(own.p_corrected),
    }


def _short(value: float) -> str:
    """A number short enough for a tile: three decimals without a leading zero."""
    text = f"{value:+.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:+.1f}"
    return text.replace("-", "−")


def _pair_grid(pairs: list[Pair]) -> Grid:
    headers = ["cell", "other", "difference", "low", "high", "p (corrected)", "d"]
    rows: list[list[Entry]] = []
    for pair in pairs:
        own = pair.difference
        numbers = [own.mean, own.low, own.high]
        rows.append(
            [
                Entry(pair.a),
                Entry(pair.b),
                *(Entry(number(value, signed=True), value=value) for value in numbers),
                Entry(p_value(own.p_corrected), is_marked=False, value=own.p_corrected),
                Entry(number(own.effect_size, signed=True), value=own.effect_size),
            ]
        )
    return Grid(headers, rows)
