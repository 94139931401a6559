"""A comparison on Weights & Biases: its table, its pictures and its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recsys.reports.comparison import Comparison
from recsys.reports.scores import Score
from recsys.tracking.wandb import AUTO, begin

TABLE = "comparison"
TIMEOUT = 5.0  # seconds for the server to answer, before files are kept only


def log_comparison(project: str | None, comparison: Comparison, paths: Mapping[str, Path], title: str) -> None:
    """Log a report as a wandb run of its own; the same runs compared again continue it.

    Args:
        project: Of wandb; None for nothing at all.
        comparison: Logged as a table, one line for each cell.
        paths: The report's files and folders, which become an artifact; pages and pictures are shown, too.
        title: The wandb run's name.
    """
    if project is None or not paths:
        return
    import wandb

    files = dict(_files(paths))
    folder = next(iter(paths.values())).parent
    run = begin(str(folder), AUTO, TIMEOUT, project=project, name=title, job_type="report", id=_id(comparison))
    rows = leaderboard(comparison)
    run.log({TABLE: wandb.Table(columns=list(rows[0]), data=[list(row.values()) for row in rows])})
    shown = {".png": wandb.Image, ".html": wandb.Html}
    run.log({f"report/{name}": shown[path.suffix](str(path)) for name, path in files.items() if path.suffix in shown})
    artifact = wandb.Artifact(f"report-{_id(comparison)}", type="report", description=title)
    for name, path in files.items():
        artifact.add_file(str(path), name=name)
    run.log_artifact(artifact)
    run.finish()


def leaderboard(comparison: Comparison) -> list[dict[str, Any]]:
    """One row for each cell, the best first: scores in full, with their intervals, and what they took."""
    return [
        {
            "cell": row.label,
            "seeds": len(row.cell.seeds),
            **{key: value for name in comparison.metrics for key, value in _columns(name, row.scores[name]).items()},
            "trained weights": row.cost.trainable,
            "train seconds": row.cost.train,
            "runs": " ".join(row.cell.run_ids),
        }
        for row in comparison.rows
    ]


def _columns(name: str, score: Score) -> dict[str, float | None]:
    difference = score.difference
    return {
        name: score.mean,
        f"{name} low": score.low,
        f"{name} high": score.high,
        f"{name} seed sd": score.seed_sd,
        f"{name} difference": None if difference is None else difference.mean,
        f"{name} p (corrected)": None if difference is None else difference.p_corrected,
    }


def _files(paths: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Files by their names, those of a folder with its name."""
    for path in paths.values():
        if path.is_dir():
            yield from ((f"{path.name}/{inner.name}", inner) for inner in sorted(path.iterdir()) if inner.is_file())
        else:
            yield path.name, path


def _id(comparison: Comparison) -> str:
    ids = sorted(run_id for row in comparison.rows for run_id in row.cell.run_ids)
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
