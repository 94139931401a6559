"""The comparison of runs of one protocol: scores of each cell, their uncertainty and cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from recsys.reports.audits import read_audits
from recsys.reports.cells import Cell, same_runs, uncommitted_code, unequal_tuning
from recsys.reports.comparable import (
    check_comparable,
    check_directions,
    check_metrics,
    complete_cells,
    find_baseline,
    recorded_name,
    shown_names,
)
from recsys.reports.costs import Cost, cost_of
from recsys.reports.encoding import cell_warnings
from recsys.reports.inference import Inference, too_few_resamples, too_few_seeds, too_few_users
from recsys.reports.scores import Pair, Score, limits_of, plain_scores, scores_over_users
from recsys.reports.segments import Segments, find_segments
from recsys.reports.statistics import PairedDifference
from recsys.reports.unequal import Unequal, find_unequal
from recsys.reports.values import Values, load_values
from recsys.schema import ComparisonError
from recsys.tracking.audit_findings import Finding
from recsys.tracking.directions import higher_is_better
from recsys.tracking.record import Record
from recsys.tracking.store import Store


@dataclass(frozen=True)
class Row:
    """A cell with its scores by metric and its cost."""

    cell: Cell
    scores: dict[str, Score]
    cost: Cost

    @property
    def label(self) -> str:
        """The cell's label."""
        return self.cell.label


@dataclass(frozen=True)
class Comparison:
    """Cells of one protocol, best first by the first metric.

    Attributes:
        rows: One for each cell.
        metrics: Names of metrics, as in "ndcg@10"; test metrics unless they name a stage.
        baseline: The label of the cell that all others are compared with, or None.
        segments: The first metric by segments of users and items.
        n_users: Number of test users.
        n_queries: Number of test queries; equal to `n_users` if each user is tested once.
        failures: Records of failed runs.
        left_out: Labels of cells that lack some seeds because these runs failed.
        inference: How differences are tested.
        differences: By metric, all pairs of cells in the order of the rows, each pair once; see `pairs`.
        varied: Config keys and groups that the study varies.
        find_segments: Finds another metric by segments; None if the values per user are not available.
        audits: Findings of `recsys audit` about runs with a language model, by run id.
        runs_dir: The store's folder; None if unknown.
    """

    rows: list[Row]
    metrics: list[str]
    baseline: str | None
    segments: Segments
    n_users: int
    n_queries: int
    failures: list[Record]
    left_out: list[str]
    inference: Inference = field(default_factory=Inference)
    differences: dict[str, list[Pair]] = field(default_factory=dict)
    varied: frozenset[str] = frozenset()
    find_segments: Callable[[str], Segments] | None = field(default=None, repr=False, compare=False)
    audits: dict[str, list[Finding]] = field(default_factory=dict)
    runs_dir: Path | None = field(default=None, repr=False, compare=False)

    @property
    def records(self) -> list[Record]:
        """Records of all cells; a run of several cells is there once."""
        return list({record.run_id: record for row in self.rows for record in row.cell.records}.values())

    @property
    def protocol(self) -> dict[str, Any]:
        """The settings that all runs share."""
        return self.records[0].protocol

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of every cell."""
        return self.rows[0].cell.seeds

    @property
    def level(self) -> float:
        """Nominal coverage of the intervals."""
        return self.inference.level

    @property
    def warnings(self) -> list[str]:
        """Warnings of the runs, each once, then of the comparison itself."""
        of_runs = dict.fromkeys(warning for record in self.records for warning in record.warnings)
        n_pairs, cells = max(map(len, self.differences.values()), default=0), [row.cell for row in self.rows]
        of_all = [
            *cell_warnings(cells),
            uncommitted_code(self.records),
            *same_runs(cells),
            unequal_tuning(cells),
            too_few_resamples(self.inference, n_pairs) if self._users_decide() else None,
            too_few_seeds(self.inference, len(self.seeds)),
            *(too_few_users(self._n_users(metric), metric) for metric in self.metrics),
        ]
        return [*of_runs, *filter(None, of_all), *self.unequal.warnings]

    @cached_property
    def unequal(self) -> Unequal:
        """Cells with smaller budgets than others."""
        return find_unequal([row.cell for row in self.rows], self.varied)

    def _users_decide(self) -> bool:
        """Whether a test over users alone decides any difference: with one seed, or where seeds change nothing."""
        return any(own.difference.p == own.difference.p_users for pairs in self.differences.values() for own in pairs)

    @property
    def test_name(self) -> str:
        """The name of the test of differences, with its scope."""
        return self.inference.test_name(len(self.seeds))

    def _n_users(self, metric: str) -> dict[str, int]:
        """The number of users with a value other than 0, by label; empty without values per user."""
        found = {row.label: row.scores[metric].n_users for row in self.rows}
        return {label: n for label, n in found.items() if n is not None}

    def by(self, metric: str) -> Comparison:
        """The same comparison with another of its metrics as the first, which orders its rows and has segments."""
        if metric == self.metrics[0]:
            return self
        rows = _sorted(self.rows, metric, self.lower_is_better(metric))
        order = {row.label: place for place, row in enumerate(rows)}
        return replace(
            self,
            rows=rows,
            metrics=[metric, *(name for name in self.metrics if name != metric)],
            segments=Segments(metric) if self.find_segments is None else self.find_segments(metric),
            differences={name: _ordered(pairs, order) for name, pairs in self.differences.items()},
        )

    def row(self, label: str) -> Row:
        """The row of a cell."""
        return next(row for row in self.rows if row.label == label)

    def lower_is_better(self, metric: str) -> bool:
        """Whether lower values of a metric are better, as for the concentration on a few items."""
        return not higher_is_better(self.records[0], metric)

    def is_better(self, difference: PairedDifference, metric: str) -> bool:
        """Whether a difference favours its first cell (the minuend)."""
        return (difference.mean > 0) is not self.lower_is_better(metric)

    def best(self, metric: str) -> str:
        """The label of the best cell by a metric."""
        sign = -1 if self.lower_is_better(metric) else 1
        return max(self.rows, key=lambda row: sign * row.scores[metric].mean).label

    def leaders(self, metric: str) -> set[str]:
        """The labels of all cells with the best value of a metric; empty if all values are equal."""
        values = {row.label: row.scores[metric].mean for row in self.rows}
        best = values[self.best(metric)]
        leaders = {label for label, value in values.items() if value == best}
        return leaders if len(leaders) < len(values) else set()

    def n_comparisons(self, metric: str) -> int:
        """The number of differences from the baseline that the p-values of a metric are corrected for."""
        return sum(row.scores[metric].difference is not None for row in self.rows)

    def is_significant(self, difference: PairedDifference | None) -> bool:
        """Whether a difference is significant after the correction for its family.

        With several seeds this holds for new users and new seeds, with one seed for new users only.
        """
        p = None if difference is None else difference.p_corrected
        return p is not None and p < self.inference.alpha

    def pairs(self, metric: str) -> list[Pair]:
        """All pairs of cells, each once: `a` is before `b` in the rows; empty without values per user."""
        return self.differences.get(metric, [])

    def pair(self, metric: str, a: str, b: str) -> Pair:
        """The difference of the cell with the label `a` from that with the label `b`.

        Raises:
            KeyError: If there is no such pair, or the metric has no values per user.
        """
        for pair in self.pairs(metric):
            if {pair.a, pair.b} == {a, b}:
                return pair if pair.a == a else pair.reversed
        raise KeyError((metric, a, b))


def compare(
    records: Iterable[Record],
    store: Store,
    baseline: str | None,
    metrics: Sequence[str],
    seed: int = 0,
    inference: Inference | None = None,
    labels: Mapping[str, str | Sequence[str]] | None = None,
    varied: Collection[str] = (),
) -> Comparison:
    """Compare runs by their records and values per user.

    Args:
        records: Finished and failed runs.
        store: The store with their values per user.
        baseline: A cell's label or name, or the id of one of its runs; None for no differences.
        metrics: Test metrics such as "ndcg@10"; "val/ndcg@10" is of another stage and has no intervals.
        seed: Seed of the resampling.
        inference: How differences are tested.
        labels: One or several labels by run id, such as a study's; each makes a cell. None for labels from settings.
        varied: Config keys and groups that the study varies; cells may differ in them.

    Raises:
        ComparisonError: If there is nothing to compare, or the runs have different protocols, code, weights, seeds or
            queries.
    """
    records, metrics = list(records), shown_names(metrics)
    failures = [record for record in records if not record.is_finished]
    cells, left_out = complete_cells(records, failures, labels)
    finished = [record for cell in cells for record in cell.records]
    if not finished:
        raise ComparisonError(f"no complete cell to compare: no cell has all seeds; failed runs: {len(failures)}.")
    check_comparable(cells, baseline)
    check_metrics(metrics, finished)
    check_directions(metrics, finished)
    reference = None if baseline is None else find_baseline(baseline, cells)
    inference = inference or Inference()
    values = load_values(cells, store, metrics, segments_of=metrics[0])
    judged = {metric: _judge(metric, cells, values, reference, seed, inference) for metric in metrics}
    scores = {metric: own for metric, (own, _) in judged.items()}
    rows = [
        Row(cell, {metric: scores[metric][place] for metric in metrics}, cost_of(cell))
        for place, cell in enumerate(cells)
    ]
    rows = _sorted(rows, metrics[0], not higher_is_better(finished[0], metrics[0]))
    order = {row.label: place for place, row in enumerate(rows)}
    return Comparison(
        rows=rows,
        metrics=metrics,
        baseline=None if reference is None else cells[reference].label,
        segments=find_segments(cells, values, metrics[0], reference, seed, inference),
        n_users=values.n_users,
        n_queries=values.queries.height,
        failures=failures,
        left_out=left_out,
        inference=inference,
        differences={metric: _ordered(pairs, order) for metric, (_, pairs) in judged.items() if pairs},
        varied=frozenset(varied),
        find_segments=partial(_segments_by, cells, store, reference, seed, inference),
        audits=read_audits(store, finished),
        runs_dir=store.root,
    )


def _sorted(rows: Iterable[Row], metric: str, lower_is_better: bool) -> list[Row]:
    """The rows, best first."""
    sign = 1 if lower_is_better else -1
    return sorted(rows, key=lambda row: sign * row.scores[metric].mean)


def _segments_by(
    cells: Sequence[Cell], store: Store, reference: int | None, seed: int, inference: Inference, metric: str
) -> Segments:
    values = load_values(cells, store, [metric], segments_of=metric)
    return find_segments(cells, values, metric, reference, seed, inference)


def _judge(
    metric: str, cells: Sequence[Cell], values: Values, reference: int | None, seed: int, inference: Inference
) -> tuple[list[Score], list[Pair]]:
    """The scores of all cells, and the differences of all pairs."""
    plain = plain_scores([[record.metrics[recorded_name(metric)] for record in cell.records] for cell in cells])
    if metric not in values.metrics:
        return plain, []
    scores, pairs = scores_over_users(plain, values.per_user(metric), reference, seed, inference)
    scores = [score.within(limits_of(cells[0].records[0], metric)) for score in scores]
    return scores, [Pair(cells[first].label, cells[second].label, difference) for first, second, difference in pairs]


def _ordered(pairs: Iterable[Pair], order: dict[str, int]) -> list[Pair]:
    """The pairs in the order of the rows."""
    turned = (pair if order[pair.a] < order[pair.b] else pair.reversed for pair in pairs)
    return sorted(turned, key=lambda pair: (order[pair.a], order[pair.b]))
