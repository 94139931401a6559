"""One run after the other in this process: data, caches and encoded texts stay in memory from run to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recsys.studies.jobs import Job, Outcome
from recsys.studies.launchers.base import Launcher, Perform


class InProcessLauncher(Launcher):
    """Runs the jobs one after the other, without further processes."""

    def launch(self, perform: Perform, jobs: Sequence[Job]) -> Iterator[Outcome]:
        yield from map(perform, jobs)
