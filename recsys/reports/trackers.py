"""Logging of a comparison to Weights & Biases or MLflow: table, figures and files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from recsys.reports.comparison import Comparison
from recsys.reports.mlflow_report import log_to_mlflow
from recsys.reports.scores import Score
from recsys.reports.wandb_report import log_to_wandb
from recsys.schema import ConfigError

Row = dict[str, Any]


def check_trackers(cfg: DictConfig) -> None:
    """Raise an error for invalid names and for a tracker that is not installed, before anything is computed.

    Raises:
        ConfigError: If there is such a key; the message names it.
    """
    for key in ("wandb", "mlflow"):
        if cfg[key] is not None and not (isinstance(cfg[key], str) and cfg[key].strip()):
            raise ConfigError(f"{key} is {cfg[key]!r}; expected a name, as in {key}=recsys, or null.")
    if cfg.mlflow is not None and find_spec("mlflow") is None:
        raise ConfigError('mlflow needs the package mlflow: pip install "recsys-experiments[mlflow]".')


def track(cfg: DictConfig, comparison: Comparison, paths: Mapping[str, Path], title: str) -> None:
    """Log a report to the trackers of the keys `wandb` and `mlflow`; nothing is logged without files.

    Args:
        cfg: Configuration of the command.
        comparison: The comparison, logged as a table with a row for each cell.
        paths: The report's files and folders.
        title: Name of the report on the tracker.

    Raises:
        RecsysError: If MLflow raises an error or cannot be reached.
    """
    if not paths:
        return
    rows, files, own_id = leaderboard(comparison), dict(_files(paths)), _id(comparison)
    if cfg.wandb is not None:
        log_to_wandb(cfg.wandb, next(iter(paths.values())).parent, rows, files, title, own_id)
    if cfg.mlflow is not None:
        log_to_mlflow(cfg.mlflow, Path(cfg.paths.runs_dir), rows, files, title, own_id)


def leaderboard(comparison: Comparison) -> list[Row]:
    """A row for each cell, the best first: scores in full precision with intervals, weights and training time."""
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
    """Files with their names; names of files in a folder begin with the folder's."""
    for path in paths.values():
        if path.is_dir():
            yield from ((f"{path.name}/{inner.name}", inner) for inner in sorted(path.iterdir()) if inner.is_file())
        else:
            yield path.name, path


def _id(comparison: Comparison) -> str:
    ids = sorted(run_id for row in comparison.rows for run_id in row.cell.run_ids)
    return hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]
