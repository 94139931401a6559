"""The differences of all pairs of cells as tables."""

from __future__ import annotations

import string

from recsys.reports.comparison import Comparison, Row
from recsys.reports.corrections import NAMES
from recsys.reports.formatting import all_of, metric_name, number
from recsys.reports.grids import Entry, Grid

BEST = 12  # most cells in a matrix; more would not fit into a line
BETTER, WORSE, UNCLEAR = ">", "<", "·"


def significance_grid(comparison: Comparison, brief: bool = False) -> Grid:
    """The best cells against each other by the first metric: row minus column, marked where significant.

    Args:
        comparison: A comparison of two cells or more, with values per user of its first metric.
        brief: Whether signs replace numbers: better, worse, or not significantly different.
    """
    rows = comparison.rows[:BEST]
    letters = string.ascii_uppercase[: len(rows)]
    lines = [
        [Entry(f"{letter} {row.label}"), *(_entry(row, other, comparison, brief) for other in rows)]
        for letter, row in zip(letters, rows, strict=True)
    ]
    return Grid(["", *letters], lines)


def matrix_note(comparison: Comparison, brief: bool = False) -> str:
    """The caption of the matrix."""
    metric, inference = comparison.metrics[0], comparison.inference
    n_cells, n_pairs = len(comparison.rows), len(comparison.pairs(metric))
    which = f"The best {BEST} of {n_cells} cells" if n_cells > BEST else "All cells"
    signs = f"{BETTER} better, {WORSE} worse, {UNCLEAR} not significantly different"
    meaning = signs if brief else "row minus column, with an asterisk where significant"
    return (
        f"{which} against each other by {metric_name(metric)}: {meaning} "
        f"(p < {inference.alpha:g}, {comparison.test_name}, {NAMES[inference.correction]} over "
        f"{all_of(n_pairs, 'pair')})."
    )


def has_matrix(comparison: Comparison) -> bool:
    """Whether there are pairs beyond the differences from the baseline."""
    return len(comparison.pairs(comparison.metrics[0])) > (0 if comparison.baseline is None else 1)


def _entry(row: Row, other: Row, comparison: Comparison, brief: bool) -> Entry:
    if row is other:
        return Entry("")
    metric = comparison.metrics[0]
    difference = comparison.pair(metric, row.label, other.label).difference
    significant = comparison.is_significant(difference)
    if not brief:
        return Entry(number(difference.mean, signed=True), is_marked=significant)
    sign = BETTER if comparison.is_better(difference, metric) else WORSE
    return Entry(sign if significant else UNCLEAR)
