"""Estimated times of runs, from the times of finished runs of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from recsys.reports.grouping import group_by
from recsys.tracking.record import Record


class Durations:
    """Mean seconds of a run, by its name.

    Args:
        records: Records of a store; failed runs and those of other data are ignored.
        data: The chosen option of `data`; None for any.
    """

    def __init__(self, records: Iterable[Record], data: str | None = None) -> None:
        usable = [
            record
            for record in records
            if record.is_finished and "total" in record.times and (data is None or record.choices.get("data") == data)
        ]
        by_name = group_by(usable, lambda record: record.name)
        self.by_name = {name: fmean(record.times["total"] for record in own) for name, own in by_name.items()}

    def add(self, name: str, seconds: float) -> None:
        """Set the seconds of runs of this name."""
        self.by_name[name] = seconds

    def of(self, name: str) -> float | None:
        """Seconds of a run of this name, or the mean over all names if it is unknown; None without any run."""
        if not self.by_name:
            return None
        return self.by_name.get(name, fmean(self.by_name.values()))

    def total(self, names: Sequence[str], n_workers: int = 1) -> float | None:
        """Seconds until runs of these names are done with `n_workers` parallel workers; None without any known run."""
        known = [self.of(name) for name in names]
        return None if None in known else sum(filter(None, known)) / max(1, n_workers)
