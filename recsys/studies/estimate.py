"""Estimated times of runs, from the times of finished runs of the same data and name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from omegaconf import DictConfig

from recsys.experiment.record_fields import label
from recsys.reports.grouping import group_by
from recsys.tracking.record import Record

Kind = tuple[str, str]  # of runs whose times are alike: the chosen option of `data`, and the run's name


def kind_of(cfg: DictConfig) -> Kind:
    """The kind of a run, by its configuration."""
    return str(cfg.choices.data), label(cfg)


class Durations:
    """Mean seconds of a run, by its kind.

    Args:
        records: Records of a store; failed runs are ignored.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        usable = [record for record in records if record.is_finished and "total" in record.times]
        by_kind = group_by(usable, lambda record: (str(record.choices.get("data")), record.name))
        self.by_kind = {kind: fmean(record.times["total"] for record in own) for kind, own in by_kind.items()}

    def add(self, kind: Kind, seconds: float) -> None:
        """Set the seconds of runs of this kind."""
        self.by_kind[kind] = seconds

    def of(self, kind: Kind) -> float | None:
        """Seconds of a run of this kind, or the mean over all kinds of the same data; None without any such run."""
        same_data = [own for other, own in self.by_kind.items() if other[0] == kind[0]]
        return self.by_kind.get(kind, fmean(same_data)) if same_data else None

    def total(self, kinds: Sequence[Kind], n_workers: int = 1) -> float | None:
        """Seconds until runs of these kinds are done with `n_workers` parallel workers; None if one is unknown."""
        known = [self.of(kind) for kind in kinds]
        return None if None in known else sum(filter(None, known)) / max(1, n_workers)
