"""The printed details of one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from recsys.experiment.finished import Run
from recsys.reports.cells import repeat_command
from recsys.reports.summary import print_run
from recsys.runs.choosing import one_run, store_of
from recsys.runs.facts import settings
from recsys.support.text_tables import TextTable
from recsys.tracking.record import Record
from recsys.tracking.run_id import flatten


def show_run(cfg: DictConfig, console: Console) -> int:
    """Print a run's metrics, cost, settings, data, protocol, versions and machine; a failed run's traceback too.

    Returns:
        The exit status, 0.

    Raises:
        ConfigError: If `run` names no run or several.
    """
    record = one_run(cfg, "run")
    print_run(Run(record, store_of(cfg).folder(record.run_id), cfg), console)
    for heading, pairs in _parts(record).items():
        if pairs:
            console.print(_key_values(heading, pairs))
    console.print(f"Repeat: {repeat_command(record, [record.seed])}", markup=False, highlight=False, soft_wrap=True)
    if record.error:
        console.print(record.error, style="red", markup=False, highlight=False)
    return 0


def _parts(record: Record) -> dict[str, Mapping[str, Any]]:
    about: dict[str, Any] = {"id": record.run_id, "status": record.status, "created": record.created}
    about |= {"seed": record.seed, "tags": " ".join(record.tags)}
    return {
        "run": about,
        "choices": record.choices,
        "configuration": settings(record),
        "tuning": dict(flatten(record.tuning)),
        "protocol": dict(flatten(record.protocol)),
        "data": dict(flatten(record.data_statistics)),
        "encoding": dict(flatten(record.encoding)),
        "ranking": dict(flatten(record.ranking)),
        "made with": {**record.versions, **(record.git or {}), **record.machine},
    }


def _key_values(heading: str, pairs: Mapping[str, Any]) -> TextTable:
    rows = ((str(key), "null" if value is None else str(value)) for key, value in pairs.items())
    return TextTable([heading, ""], rows, words=[""])
