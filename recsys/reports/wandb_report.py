"""A report as a run of Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.tracking.wandb import AUTO, begin

TABLE = "comparison"
TIMEOUT = 5.0  # seconds that the server may take to answer; after that only files are kept


def log_to_wandb(
    project: str, folder: Path, rows: Sequence[Mapping[str, Any]], files: Mapping[str, Path], title: str, own_id: str
) -> None:
    """Log a report as a separate wandb run, which the same comparison continues.

    Args:
        project: wandb project.
        folder: The report's folder, where wandb keeps its files.
        rows: The table, one row for each cell.
        files: The report's files by name, which become an artifact; png and html files are shown too.
        title: Name of the wandb run.
        own_id: Id of the wandb run.
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
