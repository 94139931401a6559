"""Selection of a store's runs by their settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from recsys.reports.grouping import group_by
from recsys.schema import ConfigError
from recsys.support.near_names import nearest
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten

_RUN_ID = re.compile(r"[0-9a-f]{12}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FILTER = re.compile(r"([^:=]+)[:=](.*)")


def select_runs(
    records: Sequence[Record], select: Iterable[str] = (), tag: str | None = None, tested_only: bool = True
) -> list[Record]:
    """The tested runs, including failed ones, that have a tag and match every filter.

    Args:
        records: Records of the store.
        select: Run ids, and filters such as "encoder:bert" (an option), "batches.batch_size:512" (a config key),
            "status:failed" or "name:bert+dot"; "=" is accepted too, but needs quotes in Hydra's lists. Numbers are
            compared as numbers: 1e-3 matches 0.001. Filters of one key are alternatives. If there are run ids, only
            these runs are considered.
        tag: A tag, such as the name of a study; None for all runs.
        tested_only: False to include runs without a test, such as those of trials.

    Raises:
        ConfigError: If a filter is malformed, or a run id, a filter or the tag matches no run.
    """
    records = [record for record in records if not tested_only or record.config.get("test", True)]
    if tag is not None:
        records = _tagged(records, tag)
    ids = [text for text in select if _RUN_ID.fullmatch(text)]
    if ids:
        records = _with_ids(records, ids)
    filters = [_parse(text) for text in select if text not in ids]
    for key, own in group_by(filters, lambda pair: pair[0]).items():
        records = _filtered(records, key, [value for _, value in own])
    return list(records)


def _tagged(records: Sequence[Record], tag: str) -> list[Record]:
    kept = [record for record in records if tag in record.tags]
    if not kept:
        known = ", ".join(sorted({tag for record in records for tag in record.tags})) or "no tag"
        raise ConfigError(f"no run of the store has tag={tag}; the tags are {known}.")
    return kept


def _with_ids(records: Sequence[Record], ids: Sequence[str]) -> list[Record]:
    missing = sorted(set(ids) - {record.run_id for record in records})
    if missing:
        raise ConfigError(f"select has {', '.join(missing)}; there is no such run in the store, or not with this tag.")
    return [record for record in records if record.run_id in ids]


def _parse(text: str) -> tuple[str, str]:
    parts = _FILTER.fullmatch(text)
    if parts is None:
        raise ConfigError(
            f"select has {text!r}; expected a run's id of 12 hex digits, or a filter such as encoder:bert."
        )
    return parts[1], parts[2]


def _filtered(records: Sequence[Record], key: str, values: Sequence[str]) -> list[Record]:
    found = [(record, _value(record, key)) for record in records]
    wanted = {_comparable(value) for value in values}
    kept = [record for record, value in found if value is not None and _comparable(value) in wanted]
    if not kept:
        known = sorted({value for _, value in found if value is not None}, key=_in_order)
        hint = "" if known else nearest(key, {one for record in records for one in _facts(record)})
        there = f"{key} is {', '.join(known[:20])} in these runs" if known else f"no run has a key {key}"
        raise ConfigError(f"select has {key}:{' or '.join(values)}, which matches no run: {there}{hint or '.'}")
    return kept


def _comparable(value: str) -> str | float:
    """A number as a float, so that its notation has no influence; any other text unchanged."""
    return float(value) if _NUMBER.fullmatch(value) else value


def _in_order(value: str) -> tuple[bool, float, str]:
    """Sort key: numbers by size, then texts."""
    number = _comparable(value)
    return (False, number, value) if isinstance(number, float) else (True, 0.0, value)


def _value(record: Record, key: str) -> str | None:
    facts = _facts(record)
    return _text(facts[key]) if key in facts else None


def _facts(record: Record) -> dict[str, Any]:
    """A run's name, status and settings by key; the options of groups replace their nodes."""
    own = {"name": record.name, "status": record.status}
    return {**own, **dict(flatten(record.config)), **record.choices}


def _text(value: Any) -> str:
    """A value as it is written on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
