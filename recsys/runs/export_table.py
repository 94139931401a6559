"""The runs of a store as a table for other tools: parquet, csv or DuckDB."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

from recsys.runs.choosing import chosen_runs, store_of
from recsys.runs.facts import settings
from recsys.schema import ConfigError, RecsysError
from recsys.support.whole_files import OUTPUT, write_atomically
from recsys.tracking.record import Record, canonical_json
from recsys.tracking.spreadsheet_safety import harmless
from recsys.tracking.store import Store

DUCKDB = ".duckdb"
RUNS, PER_USER = "runs", "per_user"
RUN_ID = "run_id"


def export_runs(cfg: DictConfig, console: Console) -> int:
    """Write the chosen runs into one file, whose format is the ending of its name.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: If no run is chosen, the ending is unknown, or a DuckDB file needs the missing package duckdb.
        RecsysError: If the file cannot be written.
    """
    path = Path(cfg.output)
    if path.suffix not in (*FILES, DUCKDB):
        raise ConfigError(f"output is {str(path)!r}; expected a file that ends in {', '.join([*FILES, DUCKDB])}.")
    records = chosen_runs(cfg)
    frame = runs_frame(records)
    if path.suffix == DUCKDB:
        _write_duckdb(path, {RUNS: frame, PER_USER: _per_user(records, store_of(cfg))})
    else:
        write_atomically(path, FILES[path.suffix](frame), OUTPUT)
    console.print(f"{frame.height} runs with {frame.width} columns: {path}", highlight=False, markup=False)
    return 0


def runs_frame(records: Sequence[Record]) -> pl.DataFrame:
    """One row for each run: name, status, times, costs, the config keys in which the runs differ, and metrics."""
    config = varying([settings(record) for record in records])
    groups = [list(map(_facts, records)), config, [record.metrics for record in records]]
    columns = {key: [row.get(key) for row in rows] for rows in groups for row in rows for key in row}
    return pl.DataFrame([_series(name, values) for name, values in columns.items()])


def varying(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the keys that have the same value in all of them; keys begin with `config.`.

    Example:
        >>> varying([{"a": 1, "b": 1}, {"a": 2, "b": 1, "c": 0}])
        [{'config.a': 1}, {'config.a': 2, 'config.c': 0}]
    """
    keys = dict.fromkeys(key for row in rows for key in row)
    kept = [key for key in keys if len({canonical_json(row.get(key)) for row in rows}) > 1]
    return [{f"config.{key}": row[key] for key in kept if key in row} for row in rows]


def _facts(record: Record) -> dict[str, Any]:
    git = record.git or {}
    return {
        RUN_ID: record.run_id,
        "name": record.name,
        "seed": record.seed,
        "status": record.status,
        "created": record.created,
        "tags": " ".join(record.tags),
        **{f"choices.{group}": choice for group, choice in record.choices.items()},
        "protocol_fingerprint": record.protocol_fingerprint,
        "data_fingerprint": record.protocol.get("data_fingerprint"),
        **{f"seconds.{stage}": value for stage, value in record.times.items()},
        "epochs": record.epochs,
        "peak_memory_mb": record.peak_memory_mb,
        **{f"weights.{kind}": number for kind, number in record.parameters.items()},
        "commit": git.get("commit"),
        "dirty": git.get("dirty"),
        "error": (record.error or "").strip().rsplit("\n", 1)[-1] or None,
    }


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    """A column of one type: Boolean, numbers or strings; lists and mixed types become strings."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return pl.Series(name, values, dtype=pl.Float64 if float in kinds else pl.Int64)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    return pl.Series(name, [_word(value) for value in values], dtype=pl.String)


def _word(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def _csv(frame: pl.DataFrame) -> bytes:
    return harmless(frame).write_csv().encode()


def _write_duckdb(path: Path, frames: Mapping[str, pl.DataFrame]) -> None:
    """Replace these tables in one transaction, so that other tables and views of the file are kept."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"output={path} needs the package duckdb: pip install 'recsys-experiments[duckdb]', "
            "or export to .parquet, which DuckDB reads as well."
        ) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.begin()
            for name, frame in frames.items():
                connection.register("exported", frame.to_arrow())
                connection.execute(f"create or replace table {name} as select * from exported")
            connection.commit()
    except (OSError, duckdb.Error) as error:
        raise RecsysError(f"cannot write {path}: {error}. Give another file as output=…") from error


def _per_user(records: Sequence[Record], store: Store) -> pl.DataFrame:
    """The metrics of each query of all tested runs, with the runs' ids."""
    tested = [record.run_id for record in records if record.is_finished and record.config.get("test", True)]
    frames = [store.per_user(run_id).select(pl.lit(run_id).alias(RUN_ID), pl.all()) for run_id in tested]
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame(schema={RUN_ID: pl.String})


FILES: dict[str, Callable[[pl.DataFrame], bytes]] = {".parquet": _parquet, ".csv": _csv}
