"""Cost of a cell's runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from recsys.reports.cells import Cell
from recsys.tracking.record import Record


@dataclass(frozen=True)
class Cost:
    """The cost of a cell's runs; None if no run has it.

    Attributes:
        trainable: Trained weights.
        total: All weights, frozen ones too.
        encode: Seconds of encoding: the longest of its runs, since later ones find the texts encoded.
        train: Seconds of fitting, the refit before the test included, mean over runs.
        test: Seconds of the test, mean over runs.
        peak_mb: Peak memory in MB, the largest of its runs.
        epochs: Mean over runs.
    """

    trainable: int | None
    total: int | None
    encode: float | None
    train: float | None
    test: float | None
    peak_mb: float | None
    epochs: float | None


def cost_of(cell: Cell) -> Cost:
    """From the records of its runs."""
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
