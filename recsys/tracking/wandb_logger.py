"""Lightning's WandbLogger, whose wandb run ends with the run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytorch_lightning.loggers import WandbLogger


@cache
def run_logger() -> type[WandbLogger]:
    """A subclass of WandbLogger whose wandb run ends with the run, so that the next run of the process has its own.

    It is defined on demand, since Lightning takes seconds to import.
    """
    from pytorch_lightning.loggers import WandbLogger

    class RunLogger(WandbLogger):
        def declare(self, directions: Mapping[str, bool]) -> None:
            """Let wandb's summary keep the best value of each metric during the run.

            Args:
                directions: Whether higher values are better, by the metric's full name.
            """
            for name, higher in directions.items():
                self.experiment.define_metric(name, summary="max" if higher else "min")

        def close(self, summary: Mapping[str, Any]) -> None:
            """Add the finished run's results and end it, waiting at most FINISH_TIMEOUT seconds for the upload."""
            self.experiment.summary.update(dict(summary))
            self.experiment.finish()

        def finalize(self, status: str) -> None:
            super().finalize(status)
            if status != "success":
                self.experiment.finish(exit_code=1)

    return RunLogger
