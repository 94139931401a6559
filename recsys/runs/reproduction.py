"""Reproduction: making a run again from its record, and comparing every number with the recorded one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from recsys.config.compose import plain
from recsys.config.trust import recorded
from recsys.experiment.run import run as make
from recsys.runs.choosing import one_run, store_of
from recsys.runs.difference import differences, made_with
from recsys.schema import ConfigError
from recsys.support.text_tables import TextTable
from recsys.tracking.environment import is_first_process
from recsys.tracking.record import Record
from recsys.tracking.run_folder import in_folder
from recsys.tracking.run_id import flatten
from recsys.tracking.store import KEYS, QUERY, RECORD, USER_COLUMN, Store

TOLERANCE = 1e-6
EQUAL, CLOSE, DIFFERS = "equal to the last bit", f"within {TOLERANCE:g}", "differs"
COLOURS = {EQUAL: "green", CLOSE: "yellow", DIFFERS: "red"}


def reproduce_run(cfg: DictConfig, console: Console) -> int:
    """Make a run again in a temporary store, and compare every number with the recorded one.

    Returns:
        The exit status: 1 if a number differs by more than 1e-6, else 0.

    Raises:
        ConfigError: If `run` names no run or several, or the run failed.
    """
    record = one_run(cfg, "run")
    if not record.is_finished:
        raise ConfigError(f"run={record.run_id} failed; action=show run={record.run_id} shows the error.")
    with TemporaryDirectory(prefix="recsys-") as folder:
        again = make(recorded_config(record, Path(folder), cfg)).record
        if not is_first_process():
            return 0
        verdicts = compare_numbers(numbers(record), numbers(again))
        if record.config.get("test", True):
            stores = store_of(cfg), Store(Path(folder))
            verdicts |= compare_queries(stores[0].per_user(record.run_id), stores[1].per_user(again.run_id))
    console.print(_table(record, again, verdicts))
    _print_circumstances(record, again, console)
    counts = {verdict: list(verdicts.values()).count(verdict) for verdict in (EQUAL, CLOSE, DIFFERS)}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    console.print(f"{len(verdicts)} numbers compared: {told}.", style=COLOURS[_worst(verdicts)], highlight=False)
    return 1 if counts[DIFFERS] else 0


def recorded_config(record: Record, folder: Path, cfg: DictConfig) -> DictConfig:
    """The recorded configuration, with a store in `folder` and without loggers.

    The cache is that of `cfg`, or an empty one with `cfg.fresh_cache`.

    Raises:
        ConfigError: If it names a class that is not trusted.
    """
    config = plain(recorded(record.config, store_of(cfg).folder(record.run_id) / RECORD))
    made: Any = OmegaConf.create(in_folder(config, config["paths"]["run_dir"]))
    cache = str(folder / "cache") if cfg.fresh_cache else cfg.paths.cache_dir
    made.paths = {"runs_dir": str(folder), "run_dir": str(folder / "unnamed"), "cache_dir": cache}
    made.logger, made.rerun = None, False
    # Another number of threads changes the order of sums, and so their last bits.
    made.num_threads = made.num_threads or record.machine.get("threads")
    return made


def numbers(record: Record) -> dict[str, float]:
    """All measured values of a run's record, by name: metrics, segments, and the curve of its epochs."""
    found = {**record.metrics, **dict(flatten(record.segments))}
    for line in record.curve:
        found |= {f"epoch {line['epoch']:.0f}: {name}": value for name, value in line.items() if name != "epoch"}
    return found


def compare_numbers(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, str]:
    """EQUAL, CLOSE or DIFFERS for each name; DIFFERS if only one of them has the name.

    Example:
        >>> compare_numbers({"a": 0.5, "b": 0.25}, {"a": 0.5, "b": 0.5})
        {'a': 'equal to the last bit', 'b': 'differs'}
    """
    return {name: _verdict(one.get(name), other.get(name)) for name in dict.fromkeys([*one, *other])}


def compare_queries(one: pl.DataFrame, other: pl.DataFrame) -> dict[str, str]:
    """EQUAL, CLOSE or DIFFERS for each metric, the worst over all queries; keys are "per query: <metric>"."""
    if not one.select(QUERY, USER_COLUMN).equals(other.select(QUERY, USER_COLUMN)):
        return {"per query": DIFFERS}
    metrics = [name for name in dict.fromkeys([*one.columns, *other.columns]) if name not in KEYS]
    shared = [name for name in metrics if name in one.columns and name in other.columns]
    found = {name: _worst(dict(enumerate(map(_verdict, one[name], other[name])))) for name in shared}
    return {f"per query: {name}": found.get(name, DIFFERS) for name in metrics}


def _verdict(one: float | None, other: float | None) -> str:
    if one is None or other is None:
        return DIFFERS
    if one == other or (math.isnan(one) and math.isnan(other)):
        return EQUAL
    return CLOSE if math.isclose(one, other, rel_tol=0, abs_tol=TOLERANCE) else DIFFERS


def _worst(verdicts: Mapping[Any, str]) -> str:
    return max(verdicts.values(), key=list(COLOURS).index, default=EQUAL)


def _table(record: Record, again: Record, verdicts: Mapping[str, str]) -> TextTable:
    """A table of the metrics, and of all other values that differ."""
    title = f"{record.name}, seed {record.seed} ({record.run_id}), made again"
    table = TextTable(["metric", "record", "again", ""], title=title, words=[""])
    before, after = numbers(record), numbers(again)
    for name, verdict in verdicts.items():
        if name in record.metrics or verdict != EQUAL:
            texts = (f"{found[name]:.9g}" if name in found else "" for found in (before, after))
            table.add(name, *texts, verdict, style="" if verdict == EQUAL else COLOURS[verdict])
    return table


def _print_circumstances(record: Record, again: Record, console: Console) -> None:
    changed = differences(made_with(record), made_with(again))
    for key, (before, now) in changed.items():
        console.print(f"{key} was {before} and is {now}.", style="yellow", markup=False, highlight=False)
    if not changed:
        console.print("Versions, commit and machine are those of the record.", highlight=False)
    protocol = differences(dict(flatten(record.protocol)), dict(flatten(again.protocol)))
    for key, (before, now) in protocol.items():
        console.print(f"protocol: {key} was {before} and is {now}.", style="red", markup=False, highlight=False)
