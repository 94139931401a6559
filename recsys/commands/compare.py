"""Compare finished runs: tables, significance tests and a report.

Only runs with the same data, split and evaluation protocol are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys compare baseline=tfidf+dot",
    "recsys compare tag=demo formats=[html]",
)


def run(cfg: DictConfig) -> None:
    """Compare runs of the store."""
    from recsys.reports.command import compare_command

    compare_command(cfg)
