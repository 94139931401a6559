"""List, show, diff, reproduce, delete or export finished runs.

The key `action` chooses what is done; without it, all runs are listed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys runs sort=-test/ndcg@10",
    "recsys runs action=diff run=b428 other=ba4e",
)


def run(cfg: DictConfig) -> None:
    """List, show, diff, reproduce, delete or export runs of the store."""
    from recsys.runs.command import runs_command

    sys.exit(runs_command(cfg))
