"""Test a run again from its saved weights.

Every metric is compared with the record. The exit status is 1 if one differs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys evaluate run=<id>",
    "recsys evaluate run=<id> trust=[my_package]",
)


def run(cfg: DictConfig) -> None:
    """Test a run of the store again, from its saved weights."""
    from recsys.experiment.evaluation import evaluate_run

    sys.exit(evaluate_run(cfg))
