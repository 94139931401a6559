"""Workers of a Ray cluster, on this machine or at an address."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from recsys.schema import ConfigError, StoreError
from recsys.studies.jobs import Job, Outcome
from recsys.studies.launchers.base import Launcher, Perform, lost


class RayLauncher(Launcher):
    """One Ray task for each job. The store and the cache must be on a file system that all workers see.

    Args:
        address: Address of a cluster; null starts one on this machine.
        cpus_per_run: CPU cores reserved for a job, and threads that it uses.
        gpus_per_run: GPUs reserved for a job; a fraction is allowed.
        retries: Number of further attempts at a job whose worker died; each continues from the last checkpoint.
        n_cpus: CPU cores of a cluster on this machine; null uses all.

    Raises:
        ConfigError: If Ray is not installed.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus_per_run: float = 1,
        gpus_per_run: float = 0,
        retries: int = 2,
        n_cpus: int | None = None,
    ) -> None:
        try:
            import ray  # noqa: F401
        except ImportError as error:
            raise ConfigError('launcher=ray needs Ray: pip install "recsys-experiments[ray]".') from error
        self.address, self.n_cpus, self.retries = address, n_cpus, retries
        self.cpus_per_run, self.gpus_per_run = cpus_per_run, gpus_per_run

    def launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        import ray

        own = not ray.is_initialized()
        if own:
            options: dict[str, Any] = {} if self.address else {"num_cpus": self.n_cpus, "include_dashboard": False}
            ray.init(address=self.address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
        self.n_workers = max(1, int(ray.cluster_resources().get("CPU", 1) / max(self.cpus_per_run, 1e-9)))
        try:
            yield from self._launch(perform, jobs)
        finally:
            if own:
                ray.shutdown()

    def _launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        import ray

        task = ray.remote(num_cpus=self.cpus_per_run, num_gpus=self.gpus_per_run, max_retries=self.retries)(perform)
        left = {task.remote(job): job for job in jobs}
        while left:
            (ready,), _ = ray.wait(list(left), num_returns=1)
            job = left.pop(ready)
            try:
                yield ray.get(ready)
            except ray.exceptions.RayTaskError as error:
                cause = error.as_instanceof_cause()
                if isinstance(cause, StoreError):
                    raise StoreError(str(error.cause)) from error
                yield lost(job, error)
            except ray.exceptions.RayError as error:
                yield lost(job, error)
