"""The contract of a launcher: it runs jobs, here or elsewhere, and yields their outcomes as they end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from recsys.studies.jobs import JOB_FAILED, Job, Outcome

Perform = Callable[[Job], Outcome]


class Launcher(ABC):
    """Runs jobs."""

    n_workers: int = 1

    @abstractmethod
    def launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """One outcome for each job, in the order in which they end; the jobs do not depend on one another.

        Raises:
            StoreError: If a worker cannot write to the store.
        """


def lost(job: Job, error: BaseException) -> Outcome:
    """The outcome of a job whose worker died; the next attempt continues from the run's last checkpoint."""
    return Outcome(job.label, job.seed, JOB_FAILED, error=f"its worker died: {type(error).__name__}: {error}")
