"""Reads what wandb has kept in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK, HEADER = 32_768, 7  # of LevelDB's log format: checksum (4), length (2), type (1)
SKIPPED = 7  # wandb's own header of the file


def records(file: Path) -> list[Any]:
    """The protocol buffers of a .wandb file."""
    content, place, found, begun = file.read_bytes(), SKIPPED, [], b""
    while place + HEADER <= len(content):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        begun += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # whole, or the last part
            found.append(wandb_internal_pb2.Record.FromString(begun))
            begun = b""
    return found


def read(folder: Path) -> dict[str, Any]:
    """The only wandb run that is kept in a run's folder: its identity, config, history, summary and exit code."""
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    told: dict[str, Any] = {"config": {}, "summary": {}, "history": [], "kept": {}}
    for record in records(file):
        if record.HasField("run"):
            run = record.run
            told |= {"id": run.run_id, "project": run.project, "group": run.run_group, "name": run.display_name}
            told |= {"job_type": run.job_type, "tags": sorted(run.tags)}
            told["config"] |= _values(run.config.update)
        if record.HasField("metric"):
            kept = record.metric.summary
            told["kept"][record.metric.name] = [name for name in ("min", "max", "last") if getattr(kept, name)]
        if record.HasField("config"):
            told["config"] |= _values(record.config.update)
        if record.HasField("summary"):
            told["summary"] |= _values(record.summary.update)
        if record.HasField("history"):
            told["history"].append(_values(record.history.item))
        if record.HasField("exit"):
            told["exit_code"] = record.exit.exit_code
    return told


def _values(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
