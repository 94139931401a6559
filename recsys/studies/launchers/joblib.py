"""Several processes on this machine, by joblib."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from recsys.studies.jobs import Job, Outcome
from recsys.studies.launchers.base import Launcher, Perform, lost


class JoblibLauncher(Launcher):
    """joblib's loky processes, which stay alive from job to job and keep what they have read.

    Args:
        n_workers: Processes; -1 is one for each core.
        threads: CPU threads of each; null divides the cores among them.
    """

    def __init__(self, n_workers: int = -1, threads: int | None = None) -> None:
        from joblib import effective_n_jobs

        self.n_workers, self.threads = effective_n_jobs(n_workers), threads

    def launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky.process_executor import BrokenProcessPool

        # loky replaces a worker that has grown by 300 MB, as one does that has read data and models; no job is lost.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
        left = dict(enumerate(jobs))
        with parallel_config("loky", inner_max_num_threads=self.threads):
            parallel = Parallel(self.n_workers, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
            try:
                for place, outcome in parallel(delayed(_placed)(perform, *entry) for entry in left.copy().items()):
                    del left[place]
                    yield outcome
            except BrokenProcessPool as error:
                yield from (lost(job, error) for job in left.values())


def _placed(perform: Perform, place: int, job: Job) -> tuple[int, Outcome]:
    return place, perform(job)
