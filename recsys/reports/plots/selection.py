"""Selection of the coloured cells of a figure with many lines."""

from __future__ import annotations

from collections.abc import Container, Sequence

from recsys.reports.comparison import Comparison
from recsys.reports.plots.theme import SHAPES

CONTEXT = "others"


def singled_out(comparison: Comparison, among: Container[str] | None = None) -> list[str]:
    """Labels of the best cells and the baseline, as many as there are colours; only of `among` if it is given."""
    labels = [row.label for row in comparison.rows if among is None or row.label in among]
    chosen = labels[: len(SHAPES)]
    if comparison.baseline in labels and comparison.baseline not in chosen:
        chosen = [*chosen[:-1], str(comparison.baseline)]
    return chosen


def selection_words(chosen: Sequence[str], n_cells: int, baseline: str | None) -> str:
    """A sentence about grey cells; empty if all cells have a colour."""
    n = n_cells - len(chosen)
    also = " and the baseline" if baseline in chosen else ""
    return f" The best cells{also} are in colour, the others ({n}) are thin grey lines." if n else ""
