"""Several processes on this machine, by joblib."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from recsys.studies.jobs import Job, Outcome
from recsys.studies.launchers.base import Launcher, Perform, lost
from recsys.support.interruption import end_with_parent


class JoblibLauncher(Launcher):
    """joblib's loky processes, which stay alive between jobs and keep their caches.

    Args:
        n_workers: Processes; -1 is one for each core.
        threads: CPU threads of each process; null divides the cores evenly.
    """

    def __init__(self, n_workers: int = -1, threads: int | None = None) -> None:
        from joblib import effective_n_jobs

        self.n_workers, self.threads = effective_n_jobs(n_workers), threads

    def launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import BrokenProcessPool

        # loky replaces a worker whose memory has grown by 300 MB, which data and models easily take; no job is lost.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
        left = dict(enumerate(jobs))
        with parallel_config("loky", inner_max_num_threads=self.threads):
            parallel = Parallel(self.n_workers, return_as="generator_unordered", batch_size=1, pre_dispatch="all")
            try:
                with _interrupts_blocked():
                    ended = parallel(delayed(_placed)(os.getpid(), perform, *entry) for entry in left.copy().items())
                for place, outcome in ended:
                    del left[place]
                    yield outcome
            except BrokenProcessPool as error:
                yield from (lost(job, error) for job in left.values())
            finally:
                if left:
                    _silence_manager()
                    get_reusable_executor().shutdown(wait=False, kill_workers=True)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes that are started in this block ignore Ctrl-C: their parent receives it and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _silence_manager() -> None:
    """Print no KeyError of loky's thread, which looks for the jobs that the shutdown has removed."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        name = "" if args.thread is None else args.thread.name
        if args.exc_type is not KeyError or name != "ExecutorManagerThread":
            before(args)

    threading.excepthook = hook


def _placed(parent: int, perform: Perform, place: int, job: Job) -> tuple[int, Outcome]:
    if os.getpid() != parent:  # with one worker, joblib runs the jobs in this process
        end_with_parent(parent)
    return place, perform(job)
