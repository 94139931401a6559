"""Write a study's results table into a text file such as the README.

The table replaces the text between two markers that name the study.
"""

from __future__ import annotations

from omegaconf import DictConfig

from recsys.reports.readme import update_readme

EXAMPLES = (
    "recsys update_readme block=demo",
    "recsys update_readme block=demo file=docs/results.md",
)


def run(cfg: DictConfig) -> None:
    """Write a study's results table into a text file.

    Raises:
        ConfigError: If the file lacks the markers of the study.
        RecsysError: If the study has no record.
    """
    update_readme(cfg)
