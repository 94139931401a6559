"""The comparisons of an answer's study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.reports.comparison import Comparison, compare
from recsys.reports.unequal import varied_keys
from recsys.schema import RecsysError
from recsys.studies.answers.scopes import Chosen, choose
from recsys.studies.answers.timed_study import TimedStudy
from recsys.tracking.record import Record
from recsys.tracking.store import Store


@dataclass(frozen=True)
class Judged:
    """A study with its comparison.

    Attributes:
        study: The study and its runs.
        chosen: Labels of the compared cells.
        comparison: Comparison of all cells, with the best cell without a language model as baseline.
        three: Comparison of the two or three chosen cells, with the text cell as baseline.
    """

    study: TimedStudy
    chosen: Chosen
    comparison: Comparison
    three: Comparison

    def folder(self, label: str) -> Path:
        """The folder of the first run of a cell."""
        return Path(self.study.cfg.paths.runs_dir) / self.comparison.row(label).cell.run_ids[0]


def judge(study: TimedStudy) -> Judged:
    """Choose the compared cells by validation, then compare them on the test.

    Raises:
        RecsysError: If no cell with a language model, or none without one, was finished.
        ComparisonError: If the runs must not be compared.
    """
    record, store = study.result.record, Store(Path(study.cfg.paths.runs_dir))
    complete = _complete(study)
    if not complete:
        errors = "; ".join(f"{one.label}: {one.error}" for one in study.result.failures[:3])
        raise RecsysError(f"no cell of study {record.name} was finished: {errors}")
    chosen = choose(complete, study.cells)
    metrics, varied = list(study.cfg.study.metrics), varied_keys(record)
    whole = compare(study.result.records, store, chosen.reference, metrics, labels=record.labels, varied=varied)
    labels = [label for label in (chosen.text, chosen.reference, chosen.control) if label is not None]
    runs = [own for label in labels for own in complete[label]]
    own_labels = {own.run_id: label for label in labels for own in complete[label]}
    three = compare(runs, store, chosen.text, metrics[:1], labels=own_labels, varied=varied)
    return Judged(study, chosen, whole, three)


def _complete(study: TimedStudy) -> Mapping[str, list[Record]]:
    """The runs of each cell whose seeds are all finished."""
    record = study.result.record
    by_id = {own.run_id: own for own in study.result.records if own.is_finished}
    found = {
        cell.label: [by_id[run_id] for run_id in cell.run_ids.values() if run_id in by_id] for cell in record.cells
    }
    return {label: own for label, own in found.items() if len(own) == len(record.seeds)}
