"""Make all runs of a study, tune its models, and write a report.

A study that was stopped continues with the runs that are missing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys study study=demo",
    "recsys study study=sweep launcher=joblib launcher.n_workers=2",
)


def run(cfg: DictConfig) -> None:
    """Make all runs of a study, then compare them."""
    from recsys.studies.command import study_command

    sys.exit(study_command(cfg))
