"""Labels of cells: the runs' name, and the settings that differ between cells of the same name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.reports.grouping import group_by
from recsys.tracking.record import Record
from recsys.tracking.run_id import cell_of, influential

_OF_FINETUNING, _FROZEN = "ranker.training.", "frozen"
NO_VALUE = "(missing)"
_NOT_SHOWN = ("data", "logger", "callbacks", "paths", "experiment", "debug", "hydra")


def labelled(
    groups: Sequence[tuple[Record, ...]], given: Mapping[str, str | Sequence[str]]
) -> list[tuple[str, tuple[Record, ...]]]:
    """Groups of runs with the labels that are given for their runs; without any, with a label of their own."""
    named = [
        (label, group)
        for group, own in zip(groups, labels(groups), strict=True)
        for label in _given(group, given) or [own]
    ]
    distinct = _distinct([label for label, _ in named], [group for _, group in named])
    return [(label, group) for label, (_, group) in zip(distinct, named, strict=True)]


def _given(group: Sequence[Record], given: Mapping[str, str | Sequence[str]]) -> list[str]:
    found = [given[record.run_id] for record in group if record.run_id in given]
    return list(dict.fromkeys(label for own in found for label in ([own] if isinstance(own, str) else own)))


def labels(groups: Sequence[Sequence[Record]]) -> list[str]:
    """The records' name, followed by the settings that differ if several cells have the same name.

    These are the config groups whose options differ, and the config keys; keys that follow from another are omitted.
    """
    made = [""] * len(groups)
    for name, places in group_by(range(len(groups)), lambda place: groups[place][0].name).items():
        for place, suffix in zip(places, _suffixes([groups[place][0] for place in places]), strict=True):
            made[place] = f"{name} ({suffix})" if suffix else name
    return _distinct(made, groups)


def _distinct(made: Sequence[str], groups: Sequence[Sequence[Record]]) -> list[str]:
    """Labels, with the beginning of the cell's id if several cells have the same label."""
    ambiguous = {label for label in made if made.count(label) > 1}
    return [
        f"{label} {cell_of(group[0])[:4]}" if label in ambiguous else label
        for label, group in zip(made, groups, strict=True)
    ]


def differing_settings(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The config keys in which records of several cells differ, with their values, by record.

    The seed is omitted, and so are keys that vary with an earlier one.
    """
    settings = [influential(record.config) for record in records]
    kept = _independent(settings, [key for key in _differing(settings) if key != "seed"])
    return [{key: own[key] for key in kept if key in own} for own in settings]


def _suffixes(records: Sequence[Record]) -> list[str]:
    if len(records) == 1:
        return [""]
    groups = sorted({group for record in records for group in record.choices if group not in _NOT_SHOWN})
    chosen = [{group: record.choices.get(group) for group in groups} for record in records]
    differing = _differing(chosen)
    nodes = {group.split("/")[0] for group in differing}
    settings = [
        {
            key: value
            for key, value in influential(record.config).items()
            if key != "seed" and key.split(".")[0] not in nodes and _has_effect(key, record)
        }
        for record in records
    ]
    described = [{**own, **keys} for own, keys in zip(chosen, settings, strict=True)]
    kept = _independent(described, [*differing, *sorted(_differing(settings), key=lambda key: (key.count("."), key))])
    short, shown = _short_names(kept), {key: _shown([own[key] for own in described if key in own]) for key in kept}
    return [", ".join(f"{short[key]}={shown[key][_text(own[key])]}" for key in kept if key in own) for own in described]


def _shown(values: Sequence[Any]) -> dict[str, str]:
    """Short forms by text: floats with four digits if these distinguish all values, otherwise the texts."""
    whole = {_text(value): value for value in values}
    rounded = {text: _rounded(value) if isinstance(value, float) else text for text, value in whole.items()}
    return rounded if len(set(rounded.values())) == len(whole) else {text: text for text in whole}


def _rounded(value: float) -> str:
    short = f"{value:.4g}"
    return short if float(short) != value else str(value)


def _has_effect(key: str, record: Record) -> bool:
    """Whether a run depends on a key; keys of finetuning have no effect on a frozen language model."""
    return not (key.startswith(_OF_FINETUNING) and record.choices.get("finetune") == _FROZEN)


def _differing(dictionaries: Sequence[dict[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for own in dictionaries for key in own)
    return [key for key in keys if len({_text(own.get(key, NO_VALUE)) for own in dictionaries}) > 1]


def _independent(dictionaries: Sequence[dict[str, Any]], keys: Sequence[str]) -> list[str]:
    """The keys without those that vary with an earlier one, as `optimizer.lr` does with `learning_rate`."""
    patterns = group_by(keys, lambda key: tuple(_text(own.get(key, NO_VALUE)) for own in dictionaries))
    return [first for first, *_ in patterns.values()]


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted key if that is unambiguous, otherwise the whole key."""
    last = [key.rsplit(".", 1)[-1] for key in keys]
    return {key: short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)}


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
