"""Cells that were tested on several splits of one data set: windows of time, or random draws."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recsys.reports.comparison import Comparison, compare
from recsys.reports.inference import too_few_users
from recsys.reports.scores import Pair, Score
from recsys.reports.split_checks import failures_of
from recsys.schema import ONE_DRAW, ComparisonError
from recsys.tracking.record import Record
from recsys.tracking.store import Store

WINDOW, DRAW = "window", "draw"
OVER = {WINDOW: "over time", DRAW: "over draws"}  # in names of files and titles


@dataclass(frozen=True)
class OverSplits:
    """Cells on several splits of one data set.

    Attributes:
        unit: What a split is: WINDOW or DRAW.
        comparisons: The comparison of each split, by its name; windows are in the order of time.
        labels: Labels of the cells that all splits have, best first by the first metric over all splits.
        scores: Scores by metric and label, over all splits: see `pool_windows` and `pool_draws`.
        pairs: Differences of all pairs of cells, by metric; windows have none for a metric without values per user.
        n_users: Number of test users of all windows, each counted once; the largest number of a draw.
        n_repeated: Number of users who are tested in more than one window; 0 for draws.
        left_out: Labels of cells that some splits lack, or that lack some seeds.
        baseline: Label of the cell that all others are compared with, or None.
        notes: Warnings about the splits together, such as a split without a finished run.
    """

    unit: str
    comparisons: dict[str, Comparison]
    labels: list[str]
    scores: dict[str, dict[str, Score]]
    pairs: dict[str, list[Pair]]
    n_users: int
    n_repeated: int
    left_out: list[str]
    baseline: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def first(self) -> Comparison:
        """The comparison of the first split; all splits have the same metrics, seeds and inference."""
        return next(iter(self.comparisons.values()))

    @property
    def metrics(self) -> list[str]:
        """Metrics of every comparison."""
        return self.first.metrics

    @property
    def n_queries(self) -> int:
        """Number of test queries of all splits."""
        return sum(own.n_queries for own in self.comparisons.values())

    @property
    def warnings(self) -> list[str]:
        """Warnings about all splits together, then about single splits, which they begin with."""
        found: dict[str, list[str]] = {}
        for name, own in self.comparisons.items():
            for warning in own.warnings:
                found.setdefault(warning, []).append(name)
        few = [too_few_users(self._n_users(metric), metric) for metric in self.metrics]
        pooled = [f"all {self.unit}s: {warning}" for warning in few if warning is not None]
        single = {warning: names for warning, names in found.items() if self.unit != DRAW or ONE_DRAW not in warning}
        return [*self.notes, *pooled, *(f"{', '.join(names)}: {warning}" for warning, names in single.items())]

    def _n_users(self, metric: str) -> dict[str, int]:
        """The number of users of all splits with a value other than 0, by label; empty without values per user."""
        found = {label: score.n_users for label, score in self.scores[metric].items()}
        return {label: n for label, n in found.items() if n is not None}

    def best(self, metric: str) -> str:
        """The label of the best cell by a metric over all splits."""
        sign = -1 if self.first.lower_is_better(metric) else 1
        return max(self.labels, key=lambda label: sign * self.scores[metric][label].mean)

    def n_ahead(self, label: str, metric: str) -> int | None:
        """Number of splits on which a cell has a better mean than the baseline; None for or without a baseline."""
        baseline = self.baseline
        if baseline is None or label == baseline:
            return None
        sign = -1 if self.first.lower_is_better(metric) else 1
        rows = [(own.row(label), own.row(baseline)) for own in self.comparisons.values()]
        return sum(sign * own.scores[metric].mean > sign * other.scores[metric].mean for own, other in rows)

    def n_best(self, label: str, metric: str) -> int:
        """Number of splits on which a cell has the best mean of the cells that all splits have."""
        sign = -1 if self.first.lower_is_better(metric) else 1
        means = [
            {one: sign * own.row(one).scores[metric].mean for one in self.labels} for own in self.comparisons.values()
        ]
        return sum(own[label] == max(own.values()) for own in means)


def shared_labels(comparisons: Mapping[str, Comparison], unit: str) -> tuple[list[str], list[str]]:
    """The labels of the cells that all splits have, and those that some lack or have without some seeds.

    Raises:
        ComparisonError: If there is no such cell.
    """
    first = next(iter(comparisons.values()))
    every = [{row.label for row in own.rows} for own in comparisons.values()]
    shared = [row.label for row in first.rows if all(row.label in own for own in every)]
    if not shared:
        raise ComparisonError(f"the {unit}s share no cell by label; expected at least one.")
    incomplete = {label for own in comparisons.values() for label in own.left_out}
    return shared, sorted((set.union(*every) | incomplete) - set(shared))


def notes_of(unit: str, baseline: str | None, shared: Collection[str], missing: Collection[str]) -> list[str]:
    """Warnings about a baseline that some splits lack, and splits without a finished run."""
    notes = [f"{', '.join(missing)}: no finished run, so the results are of the other {unit}s."] if missing else []
    if baseline is not None and baseline not in shared:
        notes.append(f"some {unit}s lack the baseline {baseline}, so there are no differences from it.")
    return notes


def compare_each(
    groups: Mapping[str, Sequence[Record]],
    failures: Sequence[Record],
    unit: str,
    store: Store,
    baseline: str | None,
    *settings: Any,
) -> dict[str, Comparison]:
    """The comparison of each split's runs; errors name the split.

    Args:
        groups: The finished runs of each split.
        failures: The failed runs of all splits.
        unit: WINDOW or DRAW.
        store: The store with the values per user.
        baseline: A cell's label or name; None for no differences.
        settings: The further arguments of `compare`.

    Raises:
        ComparisonError: If the runs of a split must not be compared, or the baseline is a run's id.
    """
    if baseline in {record.run_id for own in groups.values() for record in own}:
        raise ComparisonError(f"baseline={baseline} is a run of one {unit}; expected the label of its cell.")
    found = {}
    for name, own in groups.items():
        try:
            found[name] = compare([*own, *failures_of(own, failures)], store, baseline, *settings)
        except ComparisonError as error:
            raise ComparisonError(f"in {name}: {error}") from error
    return found
