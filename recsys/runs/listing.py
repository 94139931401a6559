"""A table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from recsys.reports.formatting import ABSENT, number, seconds
from recsys.runs.choosing import chosen_runs, store_of
from recsys.runs.facts import fact, keys_of_all, monitored, summary
from recsys.schema import TEST, VAL, ConfigError
from recsys.support.near_names import nearest
from recsys.support.text_tables import TextTable
from recsys.tracking.record import Record
from recsys.tracking.store import Store

WORDS = ("id", "name", "status", "tags", "data", "split", "created")
OPTIONAL = ("tags", "created", "time", "status", "split", "data")  # columns that a narrow terminal leaves out


def list_runs(cfg: DictConfig, console: Console) -> int:
    """Print the chosen runs, and the folders that have no record yet.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: If the store has no run, none matches, or none has the key of `sort`.
    """
    store = store_of(cfg)
    if store.ids() or not store.unrecorded():
        console.print(runs_table(sort_runs(chosen_runs(cfg), cfg.sort)))
    _print_unrecorded(store, console)
    return 0


def sort_runs(records: Sequence[Record], sort: str) -> list[Record]:
    """Sort runs by a column, a metric or a config key; a leading `-` reverses the order. Runs without it come last.

    Raises:
        ConfigError: If no run has the key.
    """
    key, descending = sort.removeprefix("-"), sort.startswith("-")
    known = [record for record in records if _is_known(fact(record, key))]
    if not known:
        columns = ", ".join(summary(records[0]))
        hint = nearest(key, keys_of_all(records)) or "."
        raise ConfigError(f"sort={sort}: no run has {key!r}. Give one of {columns}, a metric or a config key{hint}")
    known.sort(key=lambda record: _comparable(fact(record, key)), reverse=descending)
    return [*known, *(record for record in records if record not in known)]


def runs_table(records: Sequence[Record], title: str | None = None) -> TextTable:
    """A table with one row for each run; a narrow terminal shows fewer columns."""
    metrics = {str(record.config.get("monitor", "")).partition("/")[2] for record in records}
    metric = metrics.pop() if len(metrics) == 1 else "monitored"
    headers = ["id", "name", "seed", "status", "tags", "data", "split", f"val {metric}", f"test {metric}", "time"]
    table = TextTable([*headers, "created"], (), title, OPTIONAL, WORDS)
    for record in records:
        table.add(*_texts(record), style="" if record.is_finished else "red")
    return table


def _texts(record: Record) -> list[str]:
    facts = summary(record)
    return [
        record.run_id,
        record.name,
        str(record.seed),
        record.status,
        facts["tags"],
        facts["data"] or ABSENT,
        facts["split"] or ABSENT,
        number(monitored(record, VAL)),
        number(monitored(record, TEST)),
        seconds(facts["seconds"]),
        record.created[:16].replace("T", "\N{NO-BREAK SPACE}"),
    ]


def _print_unrecorded(store: Store, console: Console) -> None:
    for run_id in store.unrecorded():
        state = "is being made" if store.is_locked(run_id) else "is unfinished: its command continues it"
        console.print(f"{run_id} {state}.", style="yellow", highlight=False)


def _is_known(value: Any) -> bool:
    return value is not None and value == value


def _comparable(value: Any) -> tuple[int, Any]:
    """Numbers sort before strings, so that a column with both has an order."""
    return (0, value) if isinstance(value, (int, float)) else (1, str(value))
