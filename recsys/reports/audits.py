"""The audits of compared runs with a language model: leaks, and memory of the data, that may explain a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from recsys.reports.cells import Cell
from recsys.reports.grids import Entry, Grid
from recsys.schema import WRITTEN
from recsys.support.shell_words import command_line
from recsys.tracking.audit_findings import IS_FOUND, Finding, read_findings
from recsys.tracking.origins import language_models, origins
from recsys.tracking.ranking_biases import ranking_biases
from recsys.tracking.record import Record
from recsys.tracking.store import Store

RUNS_DIR = "paths.runs_dir="
NOTE = (
    "One run of each cell. Found: there is a leak. Clean: there is none. Unknown: a leak can neither be shown nor "
    "excluded. Measured: a number without a verdict."
)
Audits = Mapping[str, Sequence[Finding]]  # by run id


def read_audits(store: Store, records: Iterable[Record]) -> dict[str, list[Finding]]:
    """The findings of `recsys audit` about audited runs with a language model, by run id."""
    asked = [record for record in records if has_language_model(record)]
    found = {record.run_id: read_findings(store.folder(record.run_id), record) for record in asked}
    return {run_id: findings for run_id, findings in found.items() if findings is not None}


def has_language_model(record: Record) -> bool:
    """Whether a run, or its teacher, reads pretrained weights or texts that a language model wrote."""
    return bool(language_models(record) or record.contents.get(WRITTEN) or record.teacher.get(WRITTEN))


def audit_sentences(cells: Sequence[Cell], audits: Audits) -> list[str]:
    """A sentence for each cell with a language model: the leaks that its audit found, or that it was not audited."""
    return [_sentence(cell, _audited(cell, audits), audits) for cell in _asked(cells)]


def audit_grid(cells: Sequence[Cell], audits: Audits) -> Grid:
    """The findings about each cell with a language model; without an audit, those that follow from the record."""
    rows = [
        [Entry(text) for text in (cell.label, each.part, each.check, each.status, each.text)]
        for cell in _asked(cells)
        for each in _findings(cell, audits)
    ]
    return Grid(["cell", "part", "check", "status", "finding"], rows)


def audit_commands(cells: Sequence[Cell], audits: Audits) -> str:
    """The commands that audit the remaining cells, and those that make runs that an audit lacked."""
    lines: list[str] = []
    for cell in _asked(cells):
        audited = _audited(cell, audits)
        if audited is None:
            lines.append(_command(cell.records[0]))
        else:
            lines += [each.command for each in audits[audited.run_id] if each.command]
    return "\n".join(dict.fromkeys(lines))


def _asked(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if has_language_model(cell.records[0])]


def _audited(cell: Cell, audits: Audits) -> Record | None:
    """The first audited run of a cell."""
    return next((record for record in cell.records if record.run_id in audits), None)


def _findings(cell: Cell, audits: Audits) -> Sequence[Finding]:
    audited = _audited(cell, audits)
    if audited is not None:
        return audits[audited.run_id]
    record = cell.records[0]
    return [*origins(record, None), *ranking_biases(record)]


def _sentence(cell: Cell, audited: Record | None, audits: Audits) -> str:
    if audited is None:
        return (
            f"{cell.label} was not audited: leaks between the parts of its data, the language model's memory of the "
            "data and rankers without training were not checked."
        )
    found = [each.check for each in audits[audited.run_id] if each.status == IS_FOUND]
    told = f"leaks were found: {', '.join(found)}" if found else "no leak was found"
    return f"{cell.label}, run {audited.run_id}: {told}."


def _command(record: Record) -> str:
    store = [override for override in record.overrides if override.startswith(RUNS_DIR)]
    return command_line(["recsys", "audit", f"run={record.run_id}", *store])
