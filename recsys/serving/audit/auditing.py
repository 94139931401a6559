"""All checks of a run, in order."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from recsys.experiment.finished import Run
from recsys.serving.audit.duplicates import duplicated_items, near_duplicates
from recsys.serving.audit.finding import Finding
from recsys.serving.audit.leaks import split_leaks
from recsys.serving.audit.origins import origins
from recsys.serving.audit.remembered import memory
from recsys.serving.audit.shortcuts import shortcuts
from recsys.tracking.record import write_json
from recsys.tracking.store import Store

AUDIT = "audit.json"  # in the run's folder


def audit(run: Run, cfg: DictConfig) -> list[Finding]:
    """The findings about a run.

    Args:
        run: Finished.
        cfg: Of `recsys audit`.

    Raises:
        ConfigError: If the run's data has changed, or the language model does not exist.
    """
    split = run.split
    leaks = [
        *split_leaks(split),
        *duplicated_items(split),
        near_duplicates(split, cfg.near_duplicate, cfg.n_cold_items, cfg.seed),
        *origins(run.record, split),
    ]
    return [*leaks, *memory(run, cfg), *shortcuts(run.record, Store(run.folder.parent).records())]


def write_audit(run: Run, findings: list[Finding]) -> Path:
    """Write the findings into the run's folder, where the report of the run finds them.

    Raises:
        RecsysError: If the file cannot be written.
    """
    path = run.folder / AUDIT
    content: dict[str, Any] = {"run_id": run.record.run_id, "findings": [asdict(each) for each in findings]}
    write_json(path, content)
    return path
