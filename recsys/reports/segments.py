"""A metric by segments: what the records say of items, and users by the length of their history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from recsys.reports.cells import Cell
from recsys.reports.values import Values
from recsys.tracking.store import N_HISTORY

N_QUERIES = "n_queries"  # beside the metrics of a segment in a record


@dataclass(frozen=True)
class Segments:
    """One metric by segment and cell.

    Attributes:
        metric: Its name.
        sizes: Queries of each segment; None where the records do not say.
        values: By segment, then by the cell's label; NaN where a segment has no query.
    """

    metric: str
    sizes: dict[str, int | None] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)


def find_segments(cells: Sequence[Cell], values: Values, metric: str) -> Segments:
    """The metric by segments of items (from the records) and of users (by terciles of their histories' lengths)."""
    found = Segments(metric)
    for name, own in cells[0].records[0].segments.items():
        if metric in own:
            found.sizes[name] = int(own[N_QUERIES]) if N_QUERIES in own else None
            found.values[name] = {cell.label: _recorded(cell, name, metric) for cell in cells}
    if metric in values.metrics:
        table = values.metrics[metric]
        for name, rows in history_groups(values.queries[N_HISTORY].to_numpy()):
            defined = table[rows & ~np.isnan(table[:, 0])]
            if len(defined):
                found.sizes[name] = len(defined)
                found.values[name] = dict(
                    zip((cell.label for cell in cells), defined.mean(axis=0).tolist(), strict=True)
                )
    return found


def history_groups(lengths: NDArray) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names and masks of queries without a history, and of three groups of the others as equal as ties allow.

    Example:
        >>> [(name, mask.nonzero()[0].tolist()) for name, mask in history_groups(np.array([0, 5, 9, 5, 30]))]
        [('history=0', [0]), ('history=5', [1, 3]), ('history=9', [2]), ('history=30', [4])]
    """
    if (lengths == 0).any():
        yield "history=0", lengths == 0
    positive = np.sort(lengths[lengths > 0])
    if not len(positive):
        return
    ends = np.unique(positive[[(len(positive) * third + 2) // 3 - 1 for third in (1, 2, 3)]])
    lower = 0
    for end in ends:
        mask = (lengths > lower) & (lengths <= end)
        first = lengths[mask].min()
        yield f"history={first}" if first == end else f"history={first}-{end}", mask
        lower = end


def _recorded(cell: Cell, segment: str, metric: str) -> float:
    """Mean over seeds; NaN if a run lacks it."""
    return fmean(record.segments.get(segment, {}).get(metric, float("nan")) for record in cell.records)
