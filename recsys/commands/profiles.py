"""Write a page with a map and the clusters of a run's user profiles.

Each cluster is described by its nearest items and most typical words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys profiles run=<id> output=profiles.html",
    "recsys profiles run=<id> n_clusters=4",
)


def run(cfg: DictConfig) -> None:
    """Write a page about a run's user profiles."""
    from recsys.serving.profile_page import profiles_command

    profiles_command(cfg)
