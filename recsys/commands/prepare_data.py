"""Validate a data set, print its statistics, and cache it.

The statistics of the split are printed as well. Nothing is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig

EXAMPLES = (
    "recsys prepare_data split=temporal",
    "recsys prepare_data data=movielens data.path=ml-1m.zip",
)


def run(cfg: DictConfig) -> None:
    """Validate and cache a data set, and print its statistics."""
    from recsys.experiment.preparation import prepare

    prepare(cfg)
