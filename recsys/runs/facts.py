"""A run's record as one row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recsys import schema
from recsys.tracking.record import Record, data_name
from recsys.tracking.run_folder import in_folder
from recsys.tracking.run_id import flatten

NO_SETTINGS = ("choices", "overrides", "paths", "tags", "seed")  # shown separately, or without effect on results


def settings(record: Record) -> dict[str, Any]:
    """A run's configuration by dotted key, without NO_SETTINGS, search ranges and traits."""
    own = {key: value for key, value in record.config.items() if key not in NO_SETTINGS}
    flat = flatten(in_folder(own, str(record.config.get("paths", {}).get("run_dir"))))
    return {key: value for key, value in flat if not {"search", "traits"} & set(key.split("."))}


def identity(record: Record) -> dict[str, Any]:
    """A run's id, name, status and further facts, by column."""
    return {
        "id": record.run_id,
        "name": record.name,
        "seed": record.seed,
        "status": record.status,
        "tags": " ".join(record.tags),
        "data": data_name(record),
        "split": record.choices.get("split"),
        "seconds": record.times.get("total"),
        "created": record.created,
    }


def monitored(record: Record, stage: str) -> float | None:
    """The value of the monitored metric (`monitor`) in a stage, "val" or "test"; None if the run lacks it."""
    metric = str(record.config.get("monitor", "")).partition("/")[2]
    return record.metrics.get(f"{stage}/{metric}")


def summary(record: Record) -> dict[str, Any]:
    """The columns of a list of runs."""
    return {**identity(record), **{stage: monitored(record, stage) for stage in (schema.VAL, schema.TEST)}}


def fact(record: Record, key: str) -> Any:
    """A column of `summary`, a metric, a chosen option or a config value of a run; None if it has none."""
    for facts in (summary(record), record.metrics, record.choices, dict(flatten(record.config))):
        if key in facts:
            return facts[key]
    return None


def keys_of_all(records: Iterable[Record]) -> list[str]:
    """All keys for which `fact` has a value in some run."""
    found = (
        (*summary(record), *record.metrics, *record.choices, *(key for key, _ in flatten(record.config)))
        for record in records
    )
    return list(dict.fromkeys(key for own in found for key in own))
