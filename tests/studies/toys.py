"""Jobs that need no library, where only the launcher is tested: what a worker imports takes most of its time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from recsys.schema import StoreError
from recsys.studies.jobs import MADE, Outcome


@dataclass(frozen=True)
class Toy:
    """Stands for a job where only the launcher is tested."""

    label: str
    seed: int | None = 0


def toy_perform(job: Toy) -> Outcome:
    if job.label == "dies":
        os._exit(3)
    if job.label == "waits":
        Path(f"{os.getpid()}.waits").touch()
        time.sleep(60)
    if job.label == "full":
        raise StoreError("cannot write /store: no space")
    return Outcome(job.label, job.seed, MADE, run_id=str(os.getpid()))
