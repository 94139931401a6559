"""The comparisons of a study's runs: one for each protocol, since runs of different protocols are not comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from recsys.reports.comparable import complete_cells
from recsys.reports.comparison import Comparison, compare
from recsys.reports.draws import pool_draws
from recsys.reports.grouping import group_by
from recsys.reports.over_splits import OverSplits
from recsys.reports.split_checks import failures_of, period_of_test
from recsys.reports.time_windows import pool_windows
from recsys.reports.unequal import varied_keys
from recsys.schema import ComparisonError
from recsys.studies.runner import Result
from recsys.studies.windows import is_draw
from recsys.tracking.names import as_name
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord


def comparisons(cfg: DictConfig, result: Result) -> dict[str, Comparison]:
    """The comparison of each protocol, by the name of its window of time or draw, or of its differences.

    A single protocol has the name "".

    Args:
        cfg: Configuration of the study.
        result: The study's record and runs.

    Raises:
        ComparisonError: If runs of one protocol must not be compared.
    """
    finished = [record for record in result.records if record.is_finished]
    protocols = list(group_by(finished, lambda record: record.protocol_fingerprint).values())
    names = _window_names(result.record, protocols) if result.record.windows else _names(protocols)
    return {name: _compared(cfg, result, records) for name, records in zip(names, protocols, strict=True)}


def over_splits(cfg: DictConfig, result: Result, compared: Mapping[str, Comparison]) -> OverSplits:
    """The cells over all windows of time, or draws, of a study, pooled from its comparisons.

    Raises:
        ComparisonError: If they must not be pooled.
    """
    names = result.record.windows
    named: dict[str, Comparison] = {}
    for folder, own in compared.items():
        window = names[own.records[0].run_id]
        if window in named:
            raise ComparisonError(f"{window} has cells of several protocols, such as {folder}; expected one protocol.")
        named[window] = own
    missing = dict.fromkeys(cell.window for cell in result.record.cells if cell.window and cell.window not in named)
    baseline = result.record.baseline
    if is_draw(next(iter(named))):
        return pool_draws(named, baseline, missing)
    ordered = sorted(named, key=lambda name: period_of_test(named[name].records[0]))
    windows = {name: named[name] for name in ordered}
    return pool_windows(windows, Store(Path(cfg.paths.runs_dir)), baseline=baseline, missing=missing)


def of_comparison(study: StudyRecord, comparison: Comparison) -> StudyRecord:
    """The study with only the cells of this comparison; with all cells if it has no windows of time or draws."""
    return study.of_runs([record.run_id for record in comparison.records]) if study.windows else study


def _compared(cfg: DictConfig, result: Result, records: Sequence[Record]) -> Comparison:
    failures = failures_of(records, (record for record in result.records if not record.is_finished))
    complete, _ = complete_cells(records, failures, result.record.labels)
    # A baseline that lacks a seed is left out like any cell: the report says so, and compares the others.
    baseline = result.record.baseline if result.record.baseline in {cell.label for cell in complete} else None
    store = Store(Path(cfg.paths.runs_dir))
    varied, metrics = varied_keys(result.record), list(cfg.study.metrics)
    return compare([*records, *failures], store, baseline, metrics, labels=result.record.labels, varied=varied)


def _window_names(study: StudyRecord, protocols: Sequence[Sequence[Record]]) -> list[str]:
    """The window of time of each protocol, as a name of a folder, with its differences from others of the window."""
    windows = [study.windows[records[0].run_id] for records in protocols]
    names = {}
    for window, places in group_by(range(len(windows)), lambda place: windows[place]).items():
        for place, name in zip(places, _names([protocols[place] for place in places]), strict=True):
            names[place] = as_name(f"{window}-{name}" if name else window)
    return [names[place] for place in range(len(windows))]


def _names(protocols: Sequence[Sequence[Record]]) -> list[str]:
    """The differences between protocols, as names of folders; "" for a single protocol."""
    if len(protocols) < 2:
        return [""] * len(protocols)
    own = [dict(flatten(records[0].protocol)) for records in protocols]
    differing = [key for key in own[0] if len({str(one.get(key)) for one in own}) > 1 and "fingerprint" not in key]
    names = [as_name("-".join(str(one.get(key)) for key in differing)) for one in own]
    return [name if names.count(name) == 1 else f"{name}-{place + 1}" for place, name in enumerate(names)]
