"""Jobs of a SLURM cluster, by submitit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys.schema import ConfigError, StoreError
from recsys.studies.jobs import Job, Outcome
from recsys.studies.launchers.base import Launcher, Perform, lost
from recsys.support.mapping_checks import mapping_of


class SlurmLauncher(Launcher):
    """One array job with a task for each job. The store and the cache must be on a shared file system.

    Args:
        folder: Folder for submitit's scripts and logs, on the shared file system.
        cluster: `slurm`; `local` runs the jobs as processes of this machine, to try them out; null detects it.
        parameters: Parameters of submitit's executor, such as timeout_min, cpus_per_task, slurm_partition.
        poll_seconds: Seconds between two queries of the jobs' states.

    Raises:
        ConfigError: If submitit is not installed.
    """

    def __init__(
        self,
        folder: str,
        cluster: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        poll_seconds: float = 5.0,
    ) -> None:
        try:
            import submitit  # noqa: F401
        except ImportError as error:
            raise ConfigError('launcher=slurm needs submitit: pip install "recsys-experiments[slurm]".') from error
        self.folder, self.cluster = folder, cluster
        self.parameters, self.poll_seconds = (
            mapping_of("launcher.parameters", parameters, "{slurm_partition: gpu}"),
            poll_seconds,
        )
        self.n_workers = int(self.parameters.get("slurm_array_parallelism", 256))

    def launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        import submitit

        executor = submitit.AutoExecutor(self.folder, cluster=self.cluster)
        executor.update_parameters(**self.parameters)
        left = dict(zip(executor.map_array(perform, jobs), jobs, strict=True))
        while left:
            ended = [handle for handle in left if handle.done()]
            for handle in ended:
                yield _outcome(handle, left.pop(handle))
            if left and not ended:
                time.sleep(self.poll_seconds)


def _outcome(handle: Any, job: Job) -> Outcome:
    error = handle.exception()
    if error is None:
        return handle.result()
    told = re.search(rf"{StoreError.__name__}: (.*)", str(error))  # submitit gives the job's traceback as text
    if told is not None:
        raise StoreError(told[1])
    return lost(job, error)
