"""The parts of a comparison: complete cells, metrics that all runs have, and the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recsys import schema
from recsys.reports.cells import (
    Cell,
    check_identity,
    check_protocol,
    check_seeds,
    make_cells,
)
from recsys.schema import ComparisonError
from recsys.support.near_names import nearest
from recsys.tracking.directions import higher_is_better
from recsys.tracking.record import Record
from recsys.tracking.run_id import cell_of


def recorded_name(metric: str) -> str:
    """A metric's name in a record, which begins with its stage; the test if the metric names none.

    Example:
        >>> recorded_name("ndcg@10")
        'test/ndcg@10'
    """
    return metric if "/" in metric else f"{schema.TEST}/{metric}"


def shown_names(metrics: Sequence[str]) -> list[str]:
    """Metrics by their names in reports, each once; those of the test have no stage.

    Example:
        >>> shown_names(["test/ndcg@10", "val/ndcg@10", "ndcg@10"])
        ['ndcg@10', 'val/ndcg@10']
    """
    return list(dict.fromkeys(metric.removeprefix(f"{schema.TEST}/") for metric in metrics))


def complete_cells(
    records: Sequence[Record], failures: Sequence[Record], labels: Mapping[str, str | Sequence[str]] | None
) -> tuple[list[Cell], list[str]]:
    """Cells with all seeds, and the labels of cells that lack some because these runs failed."""
    cells = make_cells((record for record in records if record.is_finished), labels)
    failed = {cell_of(record) for record in failures}
    undisturbed = [cell for cell in cells if cell_of(cell.records[0]) not in failed]
    wanted = {seed for cell in undisturbed or cells for seed in cell.seeds}
    whole = [cell for cell in cells if cell in undisturbed or wanted <= set(cell.seeds)]
    return whole, [cell.label for cell in cells if cell not in whole]


def check_comparable(cells: Sequence[Cell], baseline: str | None) -> None:
    """Raise an error for cells with different protocols, code, weights or seeds.

    Raises:
        ComparisonError: If there is such a difference; the message also names a baseline that is none of the cells.
    """
    records = [record for cell in cells for record in cell.records]
    try:
        check_protocol(records)
        check_identity(records)
        check_seeds(cells)
    except ComparisonError as error:
        if baseline is None or any(baseline in (cell.label, cell.name, *cell.run_ids) for cell in cells):
            raise
        raise ComparisonError(f"{error}\nMoreover, {_unknown_baseline(baseline, cells)}") from error


def check_metrics(metrics: Sequence[str], records: Sequence[Record]) -> None:
    """Raise an error unless all runs have all metrics.

    Raises:
        ComparisonError: If a run lacks a metric; the message names the run and its metrics.
    """
    if not metrics:
        raise ComparisonError("no metric to show; expected a list such as report_metrics=[ndcg@10,recall@10].")
    for metric in metrics:
        lacking = [record for record in records if recorded_name(metric) not in record.metrics]
        if lacking:
            known = ", ".join(name.removeprefix(f"{schema.TEST}/") for name in lacking[0].metrics)
            raise ComparisonError(f"run {lacking[0].run_id} has no {metric!r} to show; it has {known}.")


def check_directions(metrics: Sequence[str], records: Sequence[Record]) -> None:
    """Raise an error if higher values of a metric are better in one run and worse in another.

    Raises:
        ComparisonError: If there are such runs; the message names two of them.
    """
    for metric in metrics:
        found = {higher_is_better(record, metric): record.run_id for record in records}
        if len(found) > 1:
            raise ComparisonError(
                f"higher {metric} is better in run {found[True]} and worse in run {found[False]}: the metric's class "
                "has changed. Make these runs again with rerun=true."
            )


def find_baseline(wanted: str, cells: Sequence[Cell]) -> int:
    """The position of the cell with a label, a name or a run's id.

    Raises:
        ComparisonError: If no cell matches, or several.
    """
    for matches in (
        [place for place, cell in enumerate(cells) if wanted == cell.label or wanted in cell.run_ids],
        [place for place, cell in enumerate(cells) if wanted == cell.name],
    ):
        if len(matches) == 1:
            return matches[0]
    if all(wanted != cell.name for cell in cells):
        raise ComparisonError(_unknown_baseline(wanted, cells))
    known = ", ".join(repr(cell.label) for cell in cells)
    raise ComparisonError(
        f"baseline {wanted!r} is the name of several cells; give one of {known}, or a run's id, or null."
    )


def _unknown_baseline(wanted: str, cells: Sequence[Cell]) -> str:
    labels = list(dict.fromkeys(cell.label for cell in cells))
    known, hint = ", ".join(map(repr, labels)), nearest(wanted, labels) or "."
    return f"baseline {wanted!r} is none of the cells; give one of {known}, or a run's id, or null{hint}"
