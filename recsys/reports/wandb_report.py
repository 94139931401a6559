"""A report as a run of Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.tracking.wandb import AUTO, begin

TABLE = "comparison"
TIMEOUT = 5.0  # seconds for the server to answer, before files are kept only


def log_to_wandb(
    project: str, folder: Path, rows: Sequence[Mapping[str, Any]], files: Mapping[str, Path], title: str, own_id: str
) -> None:
    """Log a report as a wandb run of its own; the same comparison continues it.

    Args:
        project: Of wandb.
        folder: Of the report, where wandb keeps its own files.
        rows: The table, one row for each cell.
        files: The report's files by name, which become an artifact; pages and pictures are shown, too.
        title: The wandb run's name.
        own_id: The wandb run's id.
    """
    import wandb

    run = begin(str(folder), AUTO, TIMEOUT, project=project, name=title, job_type="report", id=own_id)
    run.log({TABLE: wandb.Table(columns=list(rows[0]), data=[list(row.values()) for row in rows])})
    shown = {".png": wandb.Image, ".html": wandb.Html}
    run.log({f"report/{name}": shown[path.suffix](str(path)) for name, path in files.items() if path.suffix in shown})
    artifact = wandb.Artifact(f"report-{own_id}", type="report", description=title)
    for name, path in files.items():
        artifact.add_file(str(path), name=name)
    run.log_artifact(artifact)
    run.finish()
