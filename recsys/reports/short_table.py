"""A study's results in at most five columns, for a text such as the README."""

from __future__ import annotations

from recsys.reports.comparison import Comparison, Row
from recsys.reports.corrections import NAMES
from recsys.reports.formatting import ABSENT, counted, metric_name, number, p_value, percent, with_interval
from recsys.reports.grids import Entry, Grid
from recsys.reports.scores import Score
from recsys.reports.statistics import PairedDifference


def short_grid(comparison: Comparison, n_rows: int | None = None) -> Grid:
    """The first metric with its interval, its difference from the baseline with interval and p, and the second metric.

    With several seeds, intervals include the variance between seeds. Letters after a cell's label refer to notes.

    Args:
        comparison: The cells.
        n_rows: Number of cells, the best, besides the baseline; None for all.
    """
    main, second = comparison.metrics[0], comparison.metrics[1:2]
    headers = ["", metric_name(main)]
    if comparison.baseline is not None:
        headers += [f"Δ to {comparison.baseline}", f"p ({NAMES[comparison.inference.correction]})"]
    rows = [
        [
            Entry(_label(row, comparison)),
            Entry(_with_ends(row.scores[main]), row.label in comparison.leaders(main)),
            *([] if comparison.baseline is None else _difference(row, comparison)),
            *(Entry(number(row.scores[one].mean), row.label in comparison.leaders(one)) for one in second),
        ]
        for place, row in enumerate(comparison.rows)
        if n_rows is None or place < n_rows or row.label == comparison.baseline
    ]
    return Grid([*headers, *map(metric_name, second)], rows)


def short_note(comparison: Comparison) -> str:
    """The caption of the short table."""
    seeds = len(comparison.seeds)
    covers = "users and seeds" if seeds > 1 else "users"
    has_interval = any(row.scores[comparison.metrics[0]].low is not None for row in comparison.rows)
    brackets = f" in brackets the {percent(comparison.level)} interval over {covers};" if has_interval else ""
    text = f"Mean over {comparison.n_users} users and {seeds} seed{'s' if seeds > 1 else ''};{brackets} best in bold."
    n = comparison.n_comparisons(comparison.metrics[0])
    if n:
        text += (
            f" An asterisk marks a difference from {comparison.baseline} with p < {comparison.inference.alpha:g} in a "
            f"{comparison.test_name}, {NAMES[comparison.inference.correction]}-corrected for "
            f"{counted(n, 'comparison')}."
        )
    return f"{text} {comparison.unequal.footnote}".rstrip()


def _label(row: Row, comparison: Comparison) -> str:
    markers = comparison.unequal.markers(row.label) if comparison.unequal.notes else ""
    return f"{row.label} ({markers})" if markers else row.label


def _with_ends(score: Score | PairedDifference, signed: bool = False) -> str:
    low, high = (
        (score.low, score.high) if score.low_with_seeds is None else (score.low_with_seeds, score.high_with_seeds)
    )
    return with_interval(score.mean, low, high, signed=signed)


def _difference(row: Row, comparison: Comparison) -> list[Entry]:
    own = row.scores[comparison.metrics[0]].difference
    if own is None:
        return [Entry("baseline" if row.label == comparison.baseline else ABSENT), Entry(ABSENT)]
    return [Entry(_with_ends(own, signed=True)), Entry(p_value(own.p_corrected), False, comparison.is_significant(own))]
