"""Comparisons on several data sets, and the significant differences of average ranks over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from recsys.reports.comparison import Comparison, compare
from recsys.reports.critical_difference import CriticalDifference, critical_difference
from recsys.reports.grouping import group_by
from recsys.reports.inference import Inference
from recsys.schema import ComparisonError
from recsys.tracking.record import Record, canonical_json, data_name
from recsys.tracking.run_id import flatten
from recsys.tracking.store import Store

_OF_DATA = ("data", "data_fingerprint", "split_fingerprint")  # keys of a protocol that differ between data sets


@dataclass(frozen=True)
class Across:
    """The same cells on several data sets.

    Attributes:
        comparisons: The comparison of each data set, by its name; each has its own protocol.
        critical_differences: Average ranks over the data sets, by metric, of the cells that all data sets have.
        left_out: Labels of cells that some data sets lack.
    """

    comparisons: dict[str, Comparison]
    critical_differences: dict[str, CriticalDifference]
    left_out: list[str]

    @property
    def metrics(self) -> list[str]:
        """Metrics of every comparison."""
        return list(self.critical_differences)

    @property
    def warnings(self) -> list[str]:
        """A sentence for each setting that should be equal on all data sets and is not."""
        protocols = {name: dict(flatten(own.protocol)) for name, own in self.comparisons.items()}
        keys = dict.fromkeys(key for own in protocols.values() for key in own if key not in _OF_DATA)
        found = []
        for key in keys:
            by_data = {name: canonical_json(own.get(key)) for name, own in protocols.items()}
            if len(set(by_data.values())) > 1:
                told = ", ".join(f"{value} on {name}" for name, value in by_data.items())
                found.append(f"{key} differs between the data sets, so the ranks are not of the same task: {told}.")
        return found


def compare_across(
    records: Iterable[Record],
    store: Store,
    baseline: str | None,
    metrics: Sequence[str],
    seed: int = 0,
    inference: Inference | None = None,
) -> Across:
    """Compare runs on each data set separately, and rank the cells, matched by their labels, over all data sets.

    Args:
        records: Finished and failed runs of at least two data sets.
        store: The store with their values per user.
        baseline: A cell's label or name; every data set needs it. None for no differences.
        metrics: Test metrics.
        seed: Seed of the resampling.
        inference: How differences are tested; its level is that of the critical difference too.

    Raises:
        ComparisonError: If the runs of a data set must not be compared, or there are too few data sets or cells.
    """
    inference = inference or Inference()
    every = list(records)
    groups = group_by(every, _name_of(every))
    if len(groups) < 2:
        raise ComparisonError(
            f"across=data needs runs of at least two data sets; these are of {', '.join(groups) or 'none'}. Select "
            "runs of several, or leave across=null."
        )
    comparisons = {
        name: _compare_on(name, own, store, baseline, metrics, seed, inference) for name, own in sorted(groups.items())
    }
    labels = [{row.label for row in own.rows} for own in comparisons.values()]
    shared = set.intersection(*labels)
    shown = next(iter(comparisons.values())).metrics
    critical = {metric: _rank(comparisons, shared, metric, inference.level) for metric in shown}
    return Across(comparisons, critical, sorted(set.union(*labels) - shared))


def _name_of(records: Sequence[Record]) -> Callable[[Record], str]:
    """A function that names a run's data set; a failed run has no protocol, and is matched by its settings."""
    names = {record.protocol.get("data_fingerprint") or data_name(record): data_name(record) for record in records}
    of_settings = {_data_settings(record): data_name(record) for record in records if record.is_finished}

    def name(record: Record) -> str:
        if not record.protocol and _data_settings(record) in of_settings:
            return of_settings[_data_settings(record)]
        return names[record.protocol.get("data_fingerprint") or data_name(record)]

    return name


def _data_settings(record: Record) -> str:
    return canonical_json([record.choices.get("data"), record.config.get("data")])


def _compare_on(
    name: str,
    records: Sequence[Record],
    store: Store,
    baseline: str | None,
    metrics: Sequence[str],
    seed: int,
    inference: Inference,
) -> Comparison:
    try:
        return compare(records, store, baseline, metrics, seed, inference)
    except ComparisonError as error:
        raise ComparisonError(f"on {name}: {error}") from error


def _rank(comparisons: dict[str, Comparison], shared: set[str], metric: str, level: float) -> CriticalDifference:
    means = {
        name: {row.label: row.scores[metric].mean for row in comparison.rows if row.label in shared}
        for name, comparison in comparisons.items()
    }
    if len(shared) < 2:
        raise ComparisonError(f"the data sets share {len(shared)} cells by label; a ranking needs at least two.")
    lower = next(iter(comparisons.values())).lower_is_better(metric)
    return critical_difference(means, lower, level)
