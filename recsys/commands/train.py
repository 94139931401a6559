"""Train and test one model, and record the run.

A run with the same settings that has finished before is found and not made again.
"""

from __future__ import annotations

from omegaconf import DictConfig

from recsys.experiment.run import run as make_run
from recsys.reports.summary import print_run
from recsys.tracking.environment import is_first_process

EXAMPLES = (
    "recsys train encoder=bert ranker=cf",
    "recsys train -m encoder=tfidf,bert ranker=dot,mlp seed=0,1,2",
)


def run(cfg: DictConfig) -> float:
    """Make one run and print its results; returns its monitored metric, which a sweep may optimise."""
    made = make_run(cfg)
    if is_first_process():
        print_run(made)
    return made.record.metrics.get(cfg.monitor, float("nan"))
