"""Fit a finished run's settings on all interactions, for production.

The test part is trained on as well, therefore the new run has no test metrics.
"""

from __future__ import annotations

from omegaconf import DictConfig

from recsys import schema
from recsys.commands.next_steps import print_header, print_next_steps, run_line
from recsys.experiment.refitting import refit_run
from recsys.reports.formatting import counted
from recsys.schema import ConfigError
from recsys.support.ids import one_id
from recsys.support.screen import Screen
from recsys.tracking.environment import is_first_process

EXAMPLES = (
    "recsys refit run=<id>",
    "recsys refit run=<id> on=all",
)


def run(cfg: DictConfig) -> None:
    """Refit a run, and print the new run's folder and the data that it was fitted on.

    Raises:
        ConfigError: If `on` is not `all`, or there is no such finished run.
    """
    import recsys

    if cfg.on != schema.ALL:
        raise ConfigError(f"on is {cfg.on!r}; expected all, which is every interaction of the data.")
    run, console = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir), Screen(quiet=not is_first_process())
    print_header(console, run_line(run.record))
    made = refit_run(run, cfg.paths.cache_dir)
    known = made.record.fitted_on
    epochs = f" for {counted(known['epochs'], 'epoch')}" if known.get("epochs") else ""
    console.print(
        f"{made.record.name}, fitted on all {known['interactions']:,} interactions{epochs}, the test part included: it "
        f"has no test metrics and is in no comparison.\nRun: {made.folder}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    own = f"run={made.record.run_id}"
    recommend = ["recommend", own, "users=all", "output=recommendations.parquet"]
    print_next_steps(console, cfg, recommend, ["runs", "action=show", own])
