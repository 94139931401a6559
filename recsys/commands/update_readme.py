"""Write a study's results table into a text file such as the README.

The table replaces what is between two markers that name the study.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys update_readme block=demo",
    "recsys update_readme block=demo file=docs/results.md",
)


def run(cfg: DictConfig) -> None:
    """Write a study's results table into a text file."""
    from recsys.reports.readme import update_readme

    update_readme(cfg)
