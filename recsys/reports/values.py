"""Values per user of all cells, computed from the runs' values per query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.reports.cells import Cell
from recsys.reports.statistics import UserValues
from recsys.schema import ComparisonError
from recsys.tracking.store import KEYS, N_HISTORY, QUERY, USER_COLUMN, Store, segment_column

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """Test metrics of all cells for each query.

    Attributes:
        queries: A table with the columns query, user, n_history and n_positives; the same for all cells.
        metrics: (n_queries, n_cells) values by metric, averaged over each cell's seeds; NaN if a metric is not defined
            for a query. Metrics of all queries together, such as coverage, are not included.
        by_seed: (n_queries, n_seeds, n_cells) values by metric, before averaging.
        segments: (n_queries, n_seeds, n_cells) values of one metric by segment of the relevant items, as in
            "items=cold"; NaN for queries without a relevant item in the segment. Empty if a run has no such values.
    """

    queries: pl.DataFrame
    metrics: dict[str, Floats]
    by_seed: dict[str, Floats]
    segments: dict[str, Floats] = field(default_factory=dict)

    def per_user(self, metric: str) -> UserValues:
        """Values of users whose mean is the metric over queries, and whose spread is that of users.

        If every user has one query, these are the queries' values. Otherwise a user with the sum s over n queries has
        the value m + (s - m n) / k, with m the mean over queries and k the mean number of queries per user. This is the
        linearised ratio estimator, by which queries of one user count as dependent.
        """
        return self.of_users(self.by_seed[metric])

    def of_users(self, table: Floats) -> UserValues:
        """The same from a table of queries (n_queries, n_seeds, n_cells); queries with NaN are ignored."""
        defined = ~np.isnan(table[:, 0, 0])
        users, owner = np.unique(self.queries[USER_COLUMN].to_numpy()[defined], return_inverse=True)
        table = table[defined]
        if len(users) == len(table):
            return UserValues(table, table)
        sums = np.zeros((len(users), *table.shape[1:]))
        np.add.at(sums, owner, table)
        counts = np.bincount(owner)[:, None, None]
        mean = table.mean(axis=0)
        return UserValues(mean + (sums - mean * counts) / counts.mean(), sums)

    @property
    def n_users(self) -> int:
        """Number of test users."""
        return self.queries[USER_COLUMN].n_unique()


def load_values(cells: Sequence[Cell], store: Store, metrics: Sequence[str], segments_of: str | None = None) -> Values:
    """Read and align the values of all runs.

    Args:
        cells: Cells with their runs.
        store: The store with the values.
        metrics: Metrics to read.
        segments_of: Metric that is read by segments of items too; None for none.

    Raises:
        ComparisonError: If the runs were not tested on the same queries, or a metric is not defined on the same ones.
        RecsysError: If the values of a run cannot be read.
    """
    names = {name: segment_column(name, str(segments_of)) for name in cells[0].records[0].segments if segments_of}
    columns = [*KEYS, *metrics, *names.values()]
    frames = {run_id: store.per_user(run_id, columns) for cell in cells for run_id in cell.run_ids}
    _check_queries(frames)
    first = next(iter(frames.values()))
    present = [metric for metric in metrics if _is_in_all(metric, frames)]
    by_seed = {metric: _by_seed(metric, cells, frames) for metric in present}
    means = {metric: table.mean(axis=1) for metric, table in by_seed.items()}
    kept = {name: column for name, column in names.items() if all(column in own.columns for own in frames.values())}
    segments = {name: _by_seed(column, cells, frames, needed=False) for name, column in kept.items()}
    return Values(first.select(KEYS), means, by_seed, segments)


def _check_queries(frames: dict[str, pl.DataFrame]) -> None:
    first_id, first = next(iter(frames.items()))
    keys = first.select(QUERY, USER_COLUMN, N_HISTORY)
    different = [
        run_id for run_id, frame in frames.items() if not frame.select(QUERY, USER_COLUMN, N_HISTORY).equals(keys)
    ]
    if different:
        raise ComparisonError(
            f"runs were not tested on the same queries: {', '.join(different)} differ from {first_id}, though their "
            "protocols are equal. Make them again with rerun=true."
        )


def _is_in_all(metric: str, frames: dict[str, pl.DataFrame]) -> bool:
    lacking = [run_id for run_id, frame in frames.items() if metric not in frame.columns]
    if lacking and len(lacking) < len(frames):
        raise ComparisonError(
            f"{metric} has no values per query in {', '.join(lacking)}. Make these runs again with rerun=true."
        )
    return not lacking


def _by_seed(metric: str, cells: Sequence[Cell], frames: dict[str, pl.DataFrame], needed: bool = True) -> Floats:
    """(n_queries, n_seeds, n_cells) values."""
    columns = {run_id: frame[metric].cast(pl.Float64).fill_null(np.nan).to_numpy() for run_id, frame in frames.items()}
    defined = ~np.isnan(next(iter(columns.values())))
    different = [run_id for run_id, column in columns.items() if ((~np.isnan(column)) != defined).any()]
    if different:
        raise ComparisonError(
            f"{metric} is not defined on the same queries in all runs: {', '.join(different)} differ."
        )
    if needed and not defined.any():
        raise ComparisonError(f"{metric} is not defined for any query of the test; choose another of metrics.")
    return np.stack([np.stack([columns[run_id] for run_id in cell.run_ids], axis=1) for cell in cells], axis=2)
