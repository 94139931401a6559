"""Comparison of the same cells in several windows of time, with a test over the users of all windows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np
import polars as pl

from recsys.reports.cells import check_identity
from recsys.reports.comparable import check_directions, recorded_name
from recsys.reports.comparison import Comparison
from recsys.reports.grouping import group_by
from recsys.reports.inference import Inference
from recsys.reports.over_splits import WINDOW, OverSplits, compare_each, notes_of, shared_labels
from recsys.reports.scores import Pair, Score, limits_of, plain_scores, scores_over_users
from recsys.reports.split_checks import check_windows, failures_of, in_order_of_time
from recsys.reports.values import Values, load_values
from recsys.tracking.record import Record
from recsys.tracking.store import USER_COLUMN, Store


def compare_windows(
    records: Iterable[Record],
    store: Store,
    baseline: str | None,
    metrics: Sequence[str],
    seed: int = 0,
    inference: Inference | None = None,
    labels: Mapping[str, str | Sequence[str]] | None = None,
    varied: Collection[str] = (),
) -> OverSplits:
    """Compare runs in each window of time, then over all windows; arguments as in `compare`.

    Raises:
        ComparisonError: If the runs of a window must not be compared, or the windows must not be pooled.
    """
    records = list(records)
    failures = [record for record in records if not record.is_finished]
    by_split = group_by(
        (record for record in records if record.is_finished),
        lambda record: str(record.protocol.get("split_fingerprint")),
    ).values()
    groups = {f"{WINDOW} {number}": own for number, own in enumerate(in_order_of_time(by_split), start=1)}
    tested = [record for own in groups.values() for record in own]
    lost = [record for record in failures if record not in failures_of(tested, failures)]
    missing = dict.fromkeys(f"the window from {(record.config.get('split') or {}).get('test_from')}" for record in lost)
    compared = compare_each(groups, failures, WINDOW, store, baseline, metrics, seed, inference, labels, varied)
    return pool_windows(compared, store, seed, missing=list(missing))


def pool_windows(
    comparisons: Mapping[str, Comparison],
    store: Store,
    seed: int = 0,
    baseline: str | None = None,
    missing: Collection[str] = (),
) -> OverSplits:
    """Score the cells that all windows have over the queries of all windows.

    Users are the units: a user's values of several windows are one cluster, by the linearised ratio estimator of
    `Values.of_users` (Taylor linearisation; Deng et al. 2018 for ratios of sums over users). So neither the queries
    nor the windows of a user count as independent.

    Args:
        comparisons: The comparison of each window, in the order of time.
        store: The store with the values per user.
        seed: Seed of the resampling.
        baseline: Label of the cell that all others are compared with; None: that of the first window.
        missing: Names of windows without a finished run.

    Raises:
        ComparisonError: If there are fewer than two windows, they differ in more than their cuts in time, their tests
            overlap, or they share no cell.
    """
    check_windows(comparisons)
    records = [record for own in comparisons.values() for record in own.records]
    check_identity(records)
    first = next(iter(comparisons.values()))
    check_directions(first.metrics, records)
    shared, left_out = shared_labels(comparisons, WINDOW)
    wanted = first.baseline if baseline is None else baseline
    reference = wanted if wanted in shared else None
    values = _pooled_values(comparisons, shared, store)
    judged = {metric: _judge(metric, comparisons, shared, values, seed, reference) for metric in first.metrics}
    sign, main = -1 if first.lower_is_better(first.metrics[0]) else 1, judged[first.metrics[0]][0]
    windows_of = values.queries.group_by(USER_COLUMN).agg(pl.col(_WINDOW).n_unique())
    return OverSplits(
        WINDOW,
        dict(comparisons),
        sorted(shared, key=lambda label: -sign * main[label].mean),
        {metric: scores for metric, (scores, _) in judged.items()},
        {metric: pairs for metric, (_, pairs) in judged.items() if pairs},
        n_users=values.n_users,
        n_repeated=windows_of.filter(pl.col(_WINDOW) > 1).height,
        left_out=left_out,
        baseline=reference,
        notes=notes_of(WINDOW, wanted, shared, missing),
    )


_WINDOW = "window"


def _pooled_values(comparisons: Mapping[str, Comparison], shared: Sequence[str], store: Store) -> Values:
    """The values of the queries of all windows, concatenated, with the cells in the order of `shared`."""
    parts = [load_values([own.row(label).cell for label in shared], store, own.metrics) for own in comparisons.values()]
    queries = pl.concat(
        part.queries.with_columns(pl.lit(name).alias(_WINDOW)) for name, part in zip(comparisons, parts, strict=True)
    )
    present = [metric for metric in parts[0].by_seed if all(metric in part.by_seed for part in parts)]
    by_seed = {metric: np.concatenate([part.by_seed[metric] for part in parts]) for metric in present}
    return Values(queries, {}, by_seed)


def _judge(
    metric: str,
    comparisons: Mapping[str, Comparison],
    shared: Sequence[str],
    values: Values,
    seed: int,
    baseline: str | None,
) -> tuple[dict[str, Score], list[Pair]]:
    """The scores of all cells, and the differences of all pairs."""
    first = next(iter(comparisons.values()))
    if metric not in values.by_seed:
        return dict(zip(shared, plain_scores(_means_of_windows(metric, comparisons, shared)), strict=True)), []
    plain = plain_scores(np.nanmean(values.by_seed[metric], axis=0).T.tolist())
    reference = None if baseline is None else shared.index(baseline)
    scores, pairs = scores_over_users(plain, values.per_user(metric), reference, seed, first.inference)
    limits = limits_of(first.records[0], metric)
    limited = [score.within(limits) for score in scores]
    return dict(zip(shared, limited, strict=True)), [Pair(shared[a], shared[b], own) for a, b, own in pairs]


def _means_of_windows(metric: str, comparisons: Mapping[str, Comparison], shared: Sequence[str]) -> list[list[float]]:
    """The mean over windows of each cell and seed."""
    name = recorded_name(metric)
    of_cells = [[own.row(label).cell.records for own in comparisons.values()] for label in shared]
    return [
        [fmean(record.metrics[name] for record in of_seed) for of_seed in zip(*windows, strict=True)]
        for windows in of_cells
    ]
