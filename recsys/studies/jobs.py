"""Jobs that workers run, and their results: one run, or the tuning of one cell."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from recsys.config.compose import copied, plain
from recsys.experiment.run import find, record_failure, run
from recsys.schema import BusyError, RecordError, RecsysError, StoreError
from recsys.studies.plan import PlannedCell
from recsys.studies.tuning import tune
from recsys.tracking.directions import higher_is_better
from recsys.tracking.files import is_disk_error
from recsys.tracking.memory import free_what_is_left
from recsys.tracking.record import Record
from recsys.tracking.secrets import redacted
from recsys.tracking.store import Store
from recsys.tracking.study_record import Trial

MADE, FOUND, JOB_FAILED, BUSY = "made", "found", "failed", "busy"


@dataclass(frozen=True)
class Job:
    """A run of a study, or the tuning of one of its cells.

    Attributes:
        label: Label of the cell.
        seed: Seed of the run; None for a tuning.
        cfg: Configuration of the run, or of the study whose cell is tuned.
        planned: The cell that is tuned; None for a run.
        retry_failed: Whether a run that failed before is made again.
        wait: Whether to wait while another worker makes the run, instead of returning BUSY.
    """

    label: str
    seed: int | None
    cfg: DictConfig
    planned: PlannedCell | None = None
    retry_failed: bool = False
    wait: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    Attributes:
        label: Label of the cell.
        seed: Seed of the run; None for a tuning.
        state: MADE, FOUND (in the store; a tuning: all trials existed), JOB_FAILED or BUSY (another worker is at it).
        run_id: Identifier of a run, finished or failed.
        value: Value of the monitored metric on validation.
        error: The error in one line, if the job failed.
        seconds: Wall time.
        parameters: The tuned parameters.
        trials: The trials of the tuning.
        search_key: The key of the tuning's search.
        higher_is_better: Whether higher values of the monitored metric are better.
    """

    label: str
    seed: int | None
    state: str
    run_id: str | None = None
    value: float | None = None
    error: str | None = None
    seconds: float = 0.0
    parameters: dict[str, str] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    search_key: str = ""
    higher_is_better: bool = True


def perform(job: Job) -> Outcome:
    """Do a job. An error is recorded in its outcome and does not stop other jobs.

    Raises:
        StoreError: If the store cannot be written, since every other job would fail too.
    """
    start = time.perf_counter()
    try:
        made = _tune(job) if job.planned is not None else _run(job)
    except Exception as error:  # a job that fails must not take the others with it
        if is_disk_error(error):
            raise error if isinstance(error, StoreError) else _disk_error(job, error) from error
        made = _failed(job, error)
    free_what_is_left()
    return Outcome(job.label, job.seed, **{"seconds": time.perf_counter() - start, **made})


def _run(job: Job) -> dict[str, Any]:
    cfg, store = job.cfg, Store(Path(job.cfg.paths.runs_dir))
    try:
        found = find(cfg)
    except RecordError:
        if not job.retry_failed:
            raise
        found, cfg = None, _rerun(cfg)
    if found is not None and _stays(found.record, store, job.retry_failed):
        record = store.tag(found.record, list(cfg.tags), plain(cfg.tuning))
        return {**_summary(record, cfg.monitor), "state": FOUND if record.is_finished else JOB_FAILED}
    try:
        return {**_summary(run(cfg, wait=job.wait).record, cfg.monitor), "state": MADE}
    except BusyError:
        return {"state": BUSY}


def _stays(record: Record, store: Store, retry_failed: bool) -> bool:
    """Whether a run that was found is kept, and not made again."""
    return store.is_whole(record) if record.is_finished else not retry_failed


def _rerun(cfg: DictConfig) -> DictConfig:
    again = copied(cfg)
    again.rerun = True
    return again


def _summary(record: Record, monitor: str) -> dict[str, Any]:
    told = {"run_id": record.run_id, "value": record.metrics.get(monitor), "error": last_line(record.error)}
    return told if told["value"] is None else {**told, "higher_is_better": higher_is_better(record, monitor)}


def _tune(job: Job) -> dict[str, Any]:
    assert job.planned is not None
    tuned = tune(job.cfg, job.planned)
    state = BUSY if not tuned.is_done else MADE if tuned.n_new else FOUND
    return {"state": state, "parameters": tuned.parameters, "trials": tuned.trials, "search_key": tuned.key}


def _failed(job: Job, error: Exception) -> dict[str, Any]:
    text = traceback.format_exc()
    if job.planned is not None:
        return {
            "state": JOB_FAILED,
            "error": redacted(str(error) if isinstance(error, RecsysError) else last_line(text)),
        }
    if isinstance(error, RecordError):  # the damaged file is kept for the user to inspect
        return {"state": JOB_FAILED, "error": redacted(str(error))}
    record = record_failure(job.cfg, text)
    return {"state": JOB_FAILED, "error": redacted(last_line(text)), "run_id": record.run_id}


def _disk_error(job: Job, error: Exception) -> StoreError:
    runs_dir = Path(job.cfg.paths.runs_dir)
    return StoreError(
        f"cannot write {runs_dir} ({error}): free disk space or choose another paths.runs_dir, and give the same "
        "command again; finished runs are kept."
    )


def last_line(error: str | None) -> str | None:
    """The last line of a traceback, which has the error's message."""
    return None if error is None else error.strip().rsplit("\n", 1)[-1]
