"""MLflow: one MLflow run for each run, in a database in the runs folder or on a tracking server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.support.whole_files import RUNS, writing
from recsys.tracking.environment import is_first_process

if TYPE_CHECKING:
    from pytorch_lightning.loggers import MLFlowLogger

DATABASE = "mlflow.db"
RUN_ID = "recsys.run_id"  # name of the tag with the run's id


def make_logger(
    experiment_name: str,
    run_dir: str,
    save_dir: str,
    tracking_uri: str | None = None,
    run_name: str | None = None,
    group: str | None = None,
    tags: Sequence[str] = (),
) -> MLFlowLogger:
    """Lightning's MLFlowLogger, whose run has the run's id as its tag `recsys.run_id`.

    If an interrupted run continues, it begins another MLflow run with the same tag.

    Args:
        experiment_name: Name of the MLflow experiment.
        run_dir: The run's folder, whose name is the run's id.
        save_dir: Folder of the SQLite database and of artifacts; ignored with a `tracking_uri`.
        tracking_uri: Address of a tracking server, such as http://localhost:5000.
        run_name: Name of the MLflow run.
        group: Value of the tag `study`.
        tags: Values of the tag `tags`, which are joined by commas.

    Raises:
        StoreError: If `save_dir` cannot be made.
    """
    uri = tracking_store(experiment_name, Path(save_dir), tracking_uri)
    named = {RUN_ID: Path(run_dir).name, "study": group, "tags": ",".join(tags)}
    own = {name: value for name, value in named.items() if value}
    return run_logger()(experiment_name=experiment_name, run_name=run_name, tracking_uri=uri, tags=own)


def tracking_store(experiment: str, folder: Path, tracking_uri: str | None = None) -> str:
    """The address of MLflow's store: `tracking_uri`, that of MLFLOW_TRACKING_URI, or a database in a folder.

    The experiment is created in such a database. MLflow's telemetry is turned off.

    Raises:
        StoreError: If the folder cannot be made.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # so that a local store sends nothing
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's 7 take several minutes
    return tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or _local_store(folder.absolute(), experiment)


def metric_name(name: str) -> str:
    """A metric's name in MLflow, which allows letters, digits, `_`, `.`, `-`, space and `/` only.

    Example:
        >>> metric_name("test/items=cold/ndcg@10")
        'test/items_cold/ndcg_at_10'
    """
    return re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))


@cache
def run_logger() -> type[MLFlowLogger]:
    """A subclass of MLFlowLogger that converts this package's names of metrics.

    It is defined on demand, since Lightning takes seconds to import.
    """
    from pytorch_lightning.loggers import MLFlowLogger

    class RunLogger(MLFlowLogger):
        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            super().log_metrics({metric_name(name): value for name, value in metrics.items()}, step)

        def close(self, summary: Mapping[str, Any]) -> None:
            """Add the finished run's results."""
            numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
            self.log_metrics({name: float(value) for name, value in numbers.items()})

    return RunLogger


def _local_store(folder: Path, experiment: str) -> str:
    """The address of the database in a folder; the experiment is created if it is missing."""
    uri = f"sqlite:///{folder / DATABASE}"
    if is_first_process():
        with writing(folder, RUNS):
            folder.mkdir(parents=True, exist_ok=True)
        _make_experiment(uri, experiment, folder / "artifacts")
    return uri


def _make_experiment(uri: str, name: str, artifacts: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(uri)
    if client.get_experiment_by_name(name) is None:
        try:
            client.create_experiment(name, artifact_location=artifacts.as_uri())
        except MlflowException:
            if client.get_experiment_by_name(name) is None:  # otherwise another worker has just created it
                raise
