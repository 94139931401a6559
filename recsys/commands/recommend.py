"""Recommend items to known or new users with a run's model.

A new user is a list of items, a text, or both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys recommend run=<id> user=42 top_k=20",
    "recsys recommend run=<id> users=all output=recs.parquet",
)


def run(cfg: DictConfig) -> None:
    """Recommend items with a run's model."""
    from recsys.serving.command import recommend_command

    recommend_command(cfg)
