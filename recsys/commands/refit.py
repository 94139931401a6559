"""Fit a finished run's settings on all interactions, for production.

The test part is trained on as well, therefore the new run has no test metrics.
"""

from __future__ import annotations

from omegaconf import DictConfig

from recsys import schema
from recsys.experiment.refitting import refit_run
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
    made = refit_run(recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir), cfg.paths.cache_dir)
    if not is_first_process():
        return
    known = made.record.fitted_on
    epochs = f" for {known['epochs']} epochs" if known.get("epochs") else ""
    Screen().print(
        f"{made.record.name}, fitted on all {known['interactions']:,} interactions{epochs}, the test part included: it "
        f"has no test metrics and is in no comparison.\nRun: {made.folder}\n"
        f"Next: recsys recommend run={made.record.run_id} user=<id>",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
