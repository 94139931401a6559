"""Cost of a cell's runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from recsys.reports.cells import Cell
from recsys.tracking.record import Record


@dataclass(frozen=True)
class Cost:
    """The cost of a cell's runs; a value is None if no run has it.

    Attributes:
        trainable: Number of trained weights.
        total: Number of all weights, including frozen ones.
        encode: Seconds of encoding, the maximum over runs, since later runs find the texts in the cache.
        train: Seconds of fitting, including the refit before the test, mean over runs.
        test: Seconds of the test, mean over runs.
        peak_mb: Peak memory in MB, the maximum over runs.
        epochs: Number of epochs, mean over runs.
    """

    trainable: int | None
    total: int | None
    encode: float | None
    train: float | None
    test: float | None
    peak_mb: float | None
    epochs: float | None


def cost_of(cell: Cell) -> Cost:
    """The cost of a cell, from the records of its runs."""
    records = cell.records
    return Cost(
        trainable=records[0].parameters.get("trainable"),
        total=records[0].parameters.get("total"),
        encode=max(_seconds(records, "encode"), default=None),
        train=_mean(
            [record.times["fit"] + record.times.get("refit", 0.0) for record in records if "fit" in record.times]
        ),
        test=_mean(_seconds(records, "test")),
        peak_mb=max((record.peak_memory_mb for record in records if record.peak_memory_mb is not None), default=None),
        epochs=_mean([float(record.epochs) for record in records if record.epochs is not None]),
    )


def _seconds(records: Iterable[Record], stage: str) -> list[float]:
    return [record.times[stage] for record in records if stage in record.times]


def _mean(numbers: Sequence[float]) -> float | None:
    return fmean(numbers) if numbers else None
