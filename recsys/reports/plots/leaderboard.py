"""The leaderboard: cells by the first metric, as dots with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from recsys.reports.comparable import recorded_name
from recsys.reports.comparison import Comparison, Row
from recsys.reports.findings import headline
from recsys.reports.formatting import axis_title, counted, interval, metric_name, number, percent
from recsys.reports.grids import Entry, Grid
from recsys.reports.plots.base import MOST_ROWS, WIDTH, Figure, Rows, and_more, cell_axis, named, numbers, step, to_spec
from recsys.reports.plots.families import families
from recsys.reports.plots.ranges import clipped, labels_within, metric_scale, range_of
from recsys.reports.plots.theme import OVER_LINES
from recsys.reports.scores import Limits, limited


def leaderboard(comparison: Comparison) -> Figure:
    """The figure of all cells by the first metric, best first."""
    metric = comparison.metrics[0]
    limits = range_of(comparison, metric)
    shown = _shown(comparison)
    family = families(comparison)
    rows = clipped((_score_row(row, metric, family.of(row), limits) for row in shown), limits)
    seeds = [
        {"cell": row.label, "value": record.metrics[recorded_name(metric)]}
        for row in shown
        for record in row.cell.records
        if len(row.cell.records) > 1
    ]
    drawn = [row[key] for row in rows for key in ("value", "low", "high", "low_with_seeds", "high_with_seeds")]
    drawn += [row["value"] for row in seeds]
    scale = metric_scale(limits, drawn, padding=48, keeps_room=True, nice=False)
    x = alt.X("value:Q", title=axis_title(metric), scale=scale, axis=labels_within(limits))
    y = cell_axis(row.label for row in shown)
    plain = alt.Chart(named("rows")).encode(y=y)
    base = plain.encode(color=family.colour())
    layers = [
        *_reference(comparison),
        base.mark_rule(style="seeds").encode(x="low_with_seeds:Q", x2="high_with_seeds:Q"),
        base.mark_rule(style="users").encode(x="low:Q", x2="high:Q"),
        alt.Chart(named("seeds")).mark_tick(style="seed", thickness=1.5, height=13).encode(y=y, x="value:Q"),
        base.mark_point(style="dot").encode(x=x, shape=family.shape(), tooltip=_tips(metric)),
        *(plain.mark_text(style=style, align="left", dx=9).encode(x="end:Q", text="text:N") for style in OVER_LINES),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH, height=len(shown) * step(row.label for row in shown))
    spec = to_spec(chart, {"rows": rows, "seeds": seeds, "reference": _reference_rows(comparison, metric)})
    return Figure(
        "leaderboard",
        f"Leaderboard: {metric_name(metric)}",
        f"Further right is {'worse' if comparison.lower_is_better(metric) else 'better'}: dots are means, thick bars "
        f"the {percent(comparison.level)} intervals over users{_seed_words(comparison)}. Cells with overlapping "
        "intervals can differ significantly; the significance matrix has the tests."
        f"{and_more(len(comparison.rows), len(shown), baseline=len(shown) > MOST_ROWS)}",
        f"A list of {counted(len(shown), 'cell')} by {metric_name(metric)}. {headline(comparison)} The last is "
        f"{comparison.rows[-1].label} with {number(comparison.rows[-1].scores[metric].mean)}.",
        spec,
        _score_grid(comparison.rows, metric),
    )


def _shown(comparison: Comparison) -> list[Row]:
    rows = comparison.rows[:MOST_ROWS]
    last = [row for row in comparison.rows[MOST_ROWS:] if row.label == comparison.baseline]
    return [*rows, *last]


def _score_row(row: Row, metric: str, family: str, limits: Limits) -> dict[str, Any]:
    score = row.scores[metric]
    ends = [end for end in (score.mean, score.high, score.high_with_seeds) if end is not None]
    return {
        "cell": row.label,
        "family": family,
        "value": score.mean,
        "low": score.low,
        "high": score.high,
        "low_with_seeds": score.low_with_seeds,
        "high_with_seeds": score.high_with_seeds,
        "end": limited(max(ends), limits),
        "text": number(score.mean),
        "interval": interval(score.low, score.high),
    }


def _reference_rows(comparison: Comparison, metric: str) -> Rows:
    if comparison.baseline is None:
        return []
    return [{"value": comparison.row(comparison.baseline).scores[metric].mean, "text": "baseline"}]


def _reference(comparison: Comparison) -> list[alt.Chart]:
    if comparison.baseline is None:
        return []
    base = alt.Chart(named("reference")).encode(x="value:Q")
    text = base.mark_text(style="note", align="left", dx=4, baseline="top").encode(y=alt.value(-12), text="text:N")
    return [base.mark_rule(style="reference"), text]


def _tips(metric: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("cell:N"),
        alt.Tooltip("text:N", title=metric_name(metric)),
        alt.Tooltip("interval:N", title="interval over users"),
        alt.Tooltip("family:N", title="group"),
    ]


def _seed_words(comparison: Comparison) -> str:
    if len(comparison.seeds) == 1:
        return " (one seed: the variance between seeds is unknown)"
    return ", thin bars those over users and seeds, ticks the seeds"


def _score_grid(rows: Sequence[Row], metric: str) -> Grid:
    headers = ["cell", metric_name(metric), "low", "high", "low with seeds", "high with seeds", "seed sd"]
    return Grid(headers, [[Entry(row.label), *numbers(_score_ends(row, metric))] for row in rows])


def _score_ends(row: Row, metric: str) -> list[float | None]:
    score = row.scores[metric]
    return [score.mean, score.low, score.high, score.low_with_seeds, score.high_with_seeds, score.seed_sd]
