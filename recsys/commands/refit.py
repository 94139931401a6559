"""Fit a finished run's settings on all interactions, for production.

The test part is trained on as well, therefore the new run has no test metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys refit run=<id>",
    "recsys refit run=<id> on=all",
)


def run(cfg: DictConfig) -> None:
    """Fit a finished run's settings on all interactions."""
    from recsys.experiment.refitting import refit_command

    refit_command(cfg)
