"""Cells with smaller budgets than others: epochs, training data, batches, early stopping or trials."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from recsys.reports.cells import Cell, trials_of
from recsys.reports.grouping import group_by
from recsys.tracking.directions import higher_is_better
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten
from recsys.tracking.study_record import BASE, CHANGE, GRID, StudyRecord

# Patterns of config keys that determine a cell's budget.
OF_ALL = ("train_share", "train_per_user", "tuning.*")
OF_TRAINING = (
    "trainer.*_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "trainer.limit_*_batches",
    "trainer.overfit_batches",
    "trainer.check_val_every_n_epoch",
    "callbacks.*.patience",
    "callbacks.*.min_delta",
    "batches.*",
)
NOT_COUNTED = (
    "batches.examples_per_loop_step",  # no influence on results
    "batches.max_scores",
    "tuning.study",
    "tuning.cell",
    "tuning.trial",
    "tuning.parameters*",
)
OTHER_LIMITS = ("max_steps", "max_time")  # keys of the trainer that end training, beside max_epochs
TRIALS = "tuning.trials"
ABSENT = "none"


@dataclass(frozen=True)
class Unequal:
    """Differences between the budgets of a comparison's cells.

    Attributes:
        notes: Labels of cells, by a note about them, such as "20 of 20 epochs, still rising".
        settings: Reason why a key differs by design, by key: "varied by the study" or "tuned".
    """

    notes: dict[str, list[str]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def letters(self) -> dict[str, str]:
        """A letter for each note; two letters from the 27th note on."""
        alphabet = string.ascii_lowercase
        names = [*alphabet, *(first + second for first in alphabet for second in alphabet)]
        return dict(zip(self.notes, names, strict=False))

    def markers(self, label: str) -> str:
        """The letters of a cell's notes; empty without notes."""
        return ", ".join(letter for note, letter in self.letters.items() if label in self.notes[note])

    @property
    def footnote(self) -> str:
        """All notes, and the keys that differ by design; empty if all cells have equal budgets."""
        listed = [f"{letter}: {', '.join(self.notes[note])}: {note}" for note, letter in self.letters.items()]
        text = f"Notes: {'; '.join(listed)}." if listed else ""
        by_design = ", ".join(f"{key} ({reason})" for key, reason in self.settings.items())
        return f"{text}{f' Settings that differ by design: {by_design}.' if by_design else ''}".strip()

    @property
    def warnings(self) -> list[str]:
        """A sentence for each note, except on trials, about which `unequal_tuning` warns."""
        return [f"{', '.join(own)}: {note}." for note, own in self.notes.items() if not note.startswith(TRIALS)]


def find_unequal(cells: Sequence[Cell], varied: Collection[str] = ()) -> Unequal:
    """Find cells that reached their limit of epochs while validation still improved, and budgets that differ.

    Args:
        cells: Cells, in the order of the notes.
        varied: Config keys and groups that the study varies; see `varied_keys`.
    """
    trials = trials_of(cells)
    given = {cell.label: {**_given(cell.records[0]), TRIALS: trials[cell.label]} for cell in cells}
    tuned = {key for cell in cells for record in cell.records for key in record.tuning.get("parameters") or {}}
    found, settings = group_by(_unfinished(cells), lambda note: note[0]), {}
    notes = {text: [label for _, label in own] for text, own in found.items()}
    for key in dict.fromkeys(key for own in given.values() for key in own):
        values = {cell.label: given[cell.label].get(key) for cell in cells if _counts(key, cell.records[0])}
        if len(set(map(repr, values.values()))) < 2:
            continue
        if any(key == one or key.startswith(f"{one}.") for one in varied):
            settings[key] = "varied by the study"
        elif key in tuned:
            settings[key] = "tuned"
            notes |= _fixed(key, [cell for cell in cells if cell.label in values])
        else:
            notes |= _differences(key, values)
    return Unequal(notes, settings)


def varied_keys(study: StudyRecord | None) -> set[str]:
    """Config keys and groups with more than one value in a study's grid or ablation."""
    cells = [cell for cell in study.cells if cell.kind in (GRID, BASE, CHANGE)] if study is not None else []
    given = [dict(override.lstrip("+~").partition("=")[::2] for override in cell.overrides) for cell in cells]
    keys = dict.fromkeys(key for own in given for key in own)
    return {key for key in keys if len({own.get(key) for own in given}) > 1}


def _given(record: Record) -> dict[str, Any]:
    """The budget of a run, by config key."""
    flat = dict(flatten({**record.config, "tuning": {"trials": 0, **record.tuning}}))
    patterns = (*OF_ALL, *OF_TRAINING)
    return {key: value for key, value in flat.items() if _fits(key, patterns) and not _fits(key, NOT_COUNTED)}


def _counts(key: str, record: Record) -> bool:
    """Whether a key has an influence on a run; keys of training have none on rankers that are not trained by epochs."""
    return record.epochs is not None or _fits(key, OF_ALL)


def _fits(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _differences(key: str, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Notes on the cells without the most common value of a key; on all cells if no value is most common."""
    groups = group_by(values, lambda label: _text(values[label]))
    sizes = sorted((len(own) for own in groups.values()), reverse=True)
    usual = max(groups, key=lambda text: len(groups[text])) if sizes[0] > sizes[1] else None
    return {
        f"{key}={text}, elsewhere {', '.join(other for other in groups if other != text)}": own
        for text, own in groups.items()
        if text != usual
    }


def _fixed(key: str, cells: Sequence[Cell]) -> dict[str, list[str]]:
    """Notes on the cells that set a key themselves, while a search chose its value in others."""
    fixed: dict[str, list[str]] = {}
    for cell in cells:
        record = cell.records[0]
        own = dict(override.lstrip("+").partition("=")[::2] for override in record.overrides)
        if key in own and key not in (record.tuning.get("parameters") or {}):
            fixed.setdefault(f"{key}={own[key]} set by the cell, tuned elsewhere", []).append(cell.label)
    return fixed


def _text(value: Any) -> str:
    return ABSENT if value is None else str(value)


def _unfinished(cells: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    """A note and the label of each cell whose training reached its limit of epochs with the last epoch as the best."""
    for cell in cells:
        found = [note for note in map(_still_improving, cell.records) if note is not None]
        if found:
            n = len(cell.records)
            yield f"{found[0]}{f' ({len(found)} of {n} seeds)' if n > 1 else ''}", cell.label


def _still_improving(record: Record) -> str | None:
    trainer, monitor = record.config.get("trainer") or {}, str(record.config.get("monitor"))
    limit, every = trainer.get("max_epochs"), trainer.get("check_val_every_n_epoch") or 1
    points = [(int(point["epoch"]) + 1, point[monitor]) for point in record.curve if monitor in point]
    further = next((key for key in OTHER_LIMITS if trainer.get(key) not in (None, -1)), None)
    at_limit = bool(points) and 0 < (limit or 0) < points[-1][0] + every
    if not points or not (at_limit or further):
        return None
    higher = higher_is_better(record, monitor)
    sign = 1 if higher else -1
    (epochs, last), earlier = points[-1], [value for _, value in points[:-1]]
    if not all(sign * value < sign * last for value in earlier):
        return None
    ended = f"{epochs} of {limit} epochs" if at_limit else f"{epochs} epochs until trainer.{further}"
    return f"{ended}, still {'rising' if higher else 'falling'}"
