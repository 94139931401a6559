"""Estimated times of runs and trials, from the times of finished ones of the same data and name.

Encoding is left out, since only the first run with an encoder does it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from omegaconf import DictConfig

from recsys.experiment.record_fields import label
from recsys.reports.grouping import group_by
from recsys.studies.trials import seconds_of_run
from recsys.tracking.record import Record


class Kind(NamedTuple):
    """Runs whose times are alike.

    Attributes:
        data: The chosen option of `data`.
        name: The run's name.
        is_tested: Whether it is tested, and refitted before if the protocol asks for it; trials are not.
    """

    data: str
    name: str
    is_tested: bool = True


class Work(NamedTuple):
    """Runs or trials to do.

    Attributes:
        kind: Their kind.
        n: Their number.
        limit: Seconds after which none begins; None for no limit.
    """

    kind: Kind
    n: int = 1
    limit: float | None = None


def kind_of(cfg: DictConfig, is_tested: bool = True) -> Kind:
    """The kind of a run, by its configuration."""
    return Kind(str(cfg.choices.data), label(cfg), is_tested)


class Durations:
    """Mean seconds of a run, by its kind.

    Args:
        records: Records of a store; failed runs are ignored.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        usable = [record for record in records if record.is_finished and "total" in record.times]
        by_kind = group_by(usable, _kind_of_record)
        self.by_kind = {kind: fmean(map(seconds_of_run, own)) for kind, own in by_kind.items()}

    def add(self, kind: Kind, seconds: float) -> None:
        """Set the seconds of runs of this kind."""
        self.by_kind[kind] = seconds

    def of(self, kind: Kind) -> float | None:
        """Seconds of a run of this kind; else of one that is as similar as there is.

        That is: of the same name, tested or not; then the mean over all names on the same data. None without any run
        on the same data.
        """
        same_data = {other: own for other, own in self.by_kind.items() if other.data == kind.data}
        same_name = [own for other, own in same_data.items() if other.name == kind.name]
        same_test = [own for other, own in same_data.items() if other.is_tested == kind.is_tested]
        similar = next(filter(None, (same_name, same_test, list(same_data.values()))), None)
        return self.by_kind.get(kind, fmean(similar)) if similar else None

    def total(self, works: Sequence[Work], n_workers: int = 1) -> float | None:
        """Seconds until these works are done with `n_workers` parallel workers; None if one is unknown."""
        known = [self.of_work(work) for work in works if work.n]
        return None if None in known else sum(filter(None, known)) / max(1, n_workers)

    def of_work(self, work: Work) -> float | None:
        """Seconds of a work; None if unknown."""
        each = self.of(work.kind)
        if each is None:
            return None
        # The last trial begins before the limit, and exceeds it by half of its time on average.
        return min(work.n * each, math.inf if work.limit is None else work.limit + each / 2)


def _kind_of_record(record: Record) -> Kind:
    return Kind(str(record.choices.get("data")), record.name, bool(record.config.get("test", True)))
