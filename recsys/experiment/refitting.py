"""The refit command: a finished run's configuration, fitted on all interactions for production."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recsys import schema
from recsys.config.compose import plain
from recsys.experiment.finished import Run
from recsys.schema import ConfigError
from recsys.tracking.run_folder import in_folder


def refit_run(run: Run, cache_dir: str | None = None) -> Run:
    """The run's configuration, fitted on all interactions including the test part; it has no metrics.

    Args:
        run: A finished run that was validated.
        cache_dir: Cache folder of encoded texts; None for the run's.

    Raises:
        ConfigError: If the run was fitted on everything already.
    """
    from recsys.experiment.run import run as make

    return make(production_config(run, cache_dir))


def production_config(run: Run, cache_dir: str | None = None) -> DictConfig:
    """The configuration of `refit_run`.

    Raises:
        ConfigError: If the run was fitted on everything already.
    """
    from recsys.experiment.fitting import refit_config

    record, folder = run.record, run.folder
    if record.config.get("test_knowledge") == schema.ALL:
        raise ConfigError(f"run={record.run_id} is fitted on all interactions already: give the run that was tested.")
    chosen = plain(run.cfg)  # checked when the run was reopened
    config: Any = OmegaConf.create(in_folder(chosen, chosen["paths"]["run_dir"]))
    config.paths.runs_dir, config.paths.run_dir = str(folder.parent), str(folder.parent / "unnamed")
    config.paths.cache_dir = cache_dir or config.paths.cache_dir
    made = refit_config(config, record.fitted_on.get("epochs"), Path("${paths.run_dir}/checkpoints"))
    made.test, made.test_knowledge, made.rerun = False, schema.ALL, False
    made.logger = None  # a record of someone else may name an account or a server
    made.tags = [f"refit of {record.run_id}"]
    return made
