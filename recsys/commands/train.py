"""Train and test one model, and record the run.

A finished run with the same settings is reused and not trained again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from omegaconf import DictConfig

from recsys.commands.next_steps import print_next_steps
from recsys.experiment.run import run as make_run
from recsys.reports.summary import print_run
from recsys.support.screen import Screen
from recsys.tracking.environment import is_first_process

EXAMPLES = (
    "recsys train encoder=bert ranker=cf",
    "recsys train -m encoder=tfidf,bert ranker=dot,mlp seed=0,1,2",
)


def run(cfg: DictConfig) -> float:
    """Make one run and print its results; returns its monitored metric, which a sweep may optimise.

    Raises:
        ConfigError: If the configuration is impossible.
        DataError: If the data is malformed.
    """
    began = datetime.now(UTC)
    made = make_run(cfg)
    if is_first_process():
        console = Screen()
        print_run(made, console)
        made_at = datetime.fromisoformat(made.record.created)
        if made_at < began:
            line = f"Found: this run was made on {made_at:%Y-%m-%d at %H:%M} UTC; rerun=true makes it again."
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        recommend = ["recommend", f"run={made.record.run_id}", "users=all", "output=recommendations.parquet"]
        print_next_steps(console, cfg, ["compare"], recommend)
    return made.record.metrics.get(cfg.monitor, float("nan"))
