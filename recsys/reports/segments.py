"""A metric by segments: of relevant items by popularity, and of users by the length of their history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.reports.bootstrap import Floats
from recsys.reports.cells import Cell
from recsys.reports.inference import ENOUGH_USERS, Inference
from recsys.reports.scores import Score, limits_of, scores_of_segment
from recsys.reports.statistics import PairedDifference, UserValues, corrected
from recsys.reports.values import Values
from recsys.tracking.store import N_HISTORY

N_QUERIES = "n_queries"  # key of a segment in a record, next to its metrics


@dataclass(frozen=True)
class Segments:
    """One metric by segment and cell.

    Attributes:
        metric: Name of the metric.
        sizes: Number of queries of each segment; None if the records lack it.
        values: Means by segment, then by the cell's label; NaN if a segment has no query.
        scores: The same with intervals and differences from the baseline, without segments that have no values per
            user or fewer than two users. p-values are corrected for the differences of all cells in all segments.
        without_values: Segments whose values per user the runs did not keep.
    """

    metric: str
    sizes: dict[str, int | None] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    without_values: list[str] = field(default_factory=list)

    @property
    def n_comparisons(self) -> int:
        """The number of differences that the p-values are corrected for."""
        return sum(score.difference is not None for own in self.scores.values() for score in own.values())

    @property
    def notices(self) -> list[str]:
        """Sentences about intervals and tests that are missing or based on too few users."""
        found = []
        if self.without_values:
            found.append(
                f"No intervals or tests for {', '.join(self.without_values)}: these runs kept no values per user of "
                "segments of items. Make them again with rerun=true."
            )
        few = [f"{name} ({len(cells)} of {len(self.values[name])} cells)" for name, cells in self._few().items()]
        if few:
            found.append(
                f"Fewer than {ENOUGH_USERS} users have a value other than 0 in {', '.join(few)}: these intervals may "
                "be too narrow, and their tests are approximate."
            )
        single = [name for name in self.values if name not in self.scores and name not in self.without_values]
        if single:
            found.append(f"No intervals or tests for {', '.join(single)}: they have fewer than two users.")
        return found

    def _few(self) -> dict[str, list[str]]:
        """Labels of the cells with too few users, by segment."""
        few = {
            name: [label for label, score in own.items() if (score.n_users or 0) < ENOUGH_USERS]
            for name, own in self.scores.items()
        }
        return {name: labels for name, labels in few.items() if labels}


def find_segments(
    cells: Sequence[Cell],
    values: Values,
    metric: str,
    reference: int | None = None,
    seed: int = 0,
    inference: Inference | None = None,
) -> Segments:
    """The metric by segments of items (kept by the runs) and of users (by terciles of their histories' lengths).

    Args:
        cells: Cells, in the order of the values.
        values: Values of all queries.
        metric: Name of the metric.
        reference: Index of the baseline; None for no differences.
        seed: Seed of the resampling.
        inference: How differences are tested.
    """
    inference = inference or Inference()
    found = Segments(metric)
    tables: dict[str, Floats] = {}
    for name, own in cells[0].records[0].segments.items():
        if metric in own:
            found.sizes[name] = int(own[N_QUERIES]) if N_QUERIES in own else None
            found.values[name] = {cell.label: _recorded(cell, name, metric) for cell in cells}
            if name in values.segments:
                tables[name] = values.segments[name]
            else:
                found.without_values.append(name)
    if metric in values.metrics:
        for name, rows in history_groups(values.queries[N_HISTORY].to_numpy()):
            table = np.where(rows[:, None, None], values.by_seed[metric], np.nan)
            defined = table[~np.isnan(table[:, 0, 0])]
            if len(defined):
                means = defined.mean(axis=(0, 1)).tolist()
                found.sizes[name] = len(defined)
                found.values[name] = dict(zip((cell.label for cell in cells), means, strict=True))
                tables[name] = table
    by_user = {name: values.of_users(table) for name, table in tables.items()}
    enough = {name: own for name, own in by_user.items() if len(own.values) > 1}
    judged = _judged(enough, reference, seed, inference, [cell.label for cell in cells])
    limits = limits_of(cells[0].records[0], metric)
    for name, scores in judged.items():
        found.scores[name] = {label: score.within(limits) for label, score in scores.items()}
    return found


def history_groups(lengths: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names and masks (n_queries,) of queries without a history, and of terciles of the others by length of history.

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


def _judged(
    tables: Mapping[str, UserValues], reference: int | None, seed: int, inference: Inference, labels: Sequence[str]
) -> dict[str, dict[str, Score]]:
    """Scores by segment and label, with p-values corrected for all differences together."""
    found = {name: scores_of_segment(table, reference, seed, inference) for name, table in tables.items()}
    places = [(name, place) for name, (_, own) in found.items() for place in own]
    family: list[PairedDifference] = corrected([found[name][1][place] for name, place in places], inference)
    differences = dict(zip(places, family, strict=True))
    return {
        name: {
            label: replace(score, difference=differences.get((name, place)))
            for place, (label, score) in enumerate(zip(labels, scores, strict=True))
        }
        for name, (scores, _) in found.items()
    }


def _recorded(cell: Cell, segment: str, metric: str) -> float:
    """The mean over seeds of a metric in a segment; NaN if a run lacks it."""
    return fmean(record.segments.get(segment, {}).get(metric, float("nan")) for record in cell.records)
