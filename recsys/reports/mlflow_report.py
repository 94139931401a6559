"""A report as a run of MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys.schema import RecsysError
from recsys.tracking.secrets import redacted

TABLE = "comparison.json"
COMPARISON = "recsys.comparison"  # name of the tag with a hash of the compared runs


def log_to_mlflow(
    experiment: str,
    runs_dir: Path,
    rows: Sequence[Mapping[str, Any]],
    files: Mapping[str, Path],
    title: str,
    own_id: str,
) -> None:
    """Log a report as a separate MLflow run.

    Args:
        experiment: Name of the MLflow experiment.
        runs_dir: The store, whose database is used without MLFLOW_TRACKING_URI.
        rows: The table, one row for each cell.
        files: The report's files by name, which become artifacts.
        title: Name of the MLflow run.
        own_id: Value of the tag `recsys.comparison`, the same for the same compared runs.

    Raises:
        RecsysError: If MLflow raises an error or cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    from recsys.tracking.mlflow import tracking_store

    try:
        _log(tracking_store(experiment, runs_dir / "mlflow"), experiment, rows, files, title, own_id)
    except MlflowException as error:
        told = redacted(" ".join(str(error).split()))
        raise RecsysError(
            f"mlflow={experiment}: the report is written, and is not in MLflow: {told}. "
            f"recsys compare mlflow={experiment} logs it again."
        ) from error


def _log(
    address: str,
    experiment: str,
    rows: Sequence[Mapping[str, Any]],
    files: Mapping[str, Path],
    title: str,
    own_id: str,
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(address)
    found = client.get_experiment_by_name(experiment)
    number = client.create_experiment(experiment) if found is None else found.experiment_id
    run = client.create_run(number, tags={COMPARISON: own_id}, run_name=title)
    table = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}  # format of MLflow's tables
    client.log_dict(run.info.run_id, table, TABLE)
    for name, path in files.items():
        folder = Path(name).parent.as_posix()
        client.log_artifact(run.info.run_id, str(path), None if folder == "." else folder)
    client.set_terminated(run.info.run_id)
