"""The command lines: thin wrappers that compose, call and print. Importing this imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.text import Text

from recsys.config import conf_dir, with_choices
from recsys.schema import RecsysError
from recsys.screen import Screen
from recsys.tracking.secrets import redact_error, redacted
from recsys.trusted import trust


def command(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """A command line out of a function of its configuration; an error that the user can mend has no traceback."""

    def decorate(function: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        @wraps(function)
        def with_errors(cfg: DictConfig) -> Any:
            hydra_cfg = HydraConfig.get()
            try:
                trust(*_packages(cfg))
                return function(with_choices(cfg, hydra_cfg.runtime.choices, hydra_cfg.overrides.task))
            except RecsysError as error:
                message = Text.assemble(("error:", "bold red"), f" {redacted(str(error))}")
                Screen(stderr=True, soft_wrap=True).print(message)
                sys.exit(2)
            except Exception as error:
                redact_error(error)  # before its traceback is shown
                raise

        return hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)(with_errors)

    return decorate


def _packages(cfg: DictConfig) -> list[str]:
    """Those of the key `trust`, one or a list, where a command has it."""
    packages = cfg.get("trust") or []
    return [packages] if isinstance(packages, str) else list(packages)


@command("train")
def train(cfg: DictConfig) -> float:
    """Make one run, and print what it gave."""
    from recsys.experiment import run
    from recsys.reports.summary import print_run
    from recsys.tracking.environment import is_first_process

    made = run(cfg)
    if is_first_process():
        print_run(made)
    return made.record.metrics.get(cfg.monitor, float("nan"))


@command("study")
def study(cfg: DictConfig) -> None:
    """Make all runs of a study, then compare them."""
    from recsys.studies.command import study_command

    sys.exit(study_command(cfg))


@command("compare")
def compare(cfg: DictConfig) -> None:
    """Compare runs of the store."""
    from recsys.reports.command import compare_command

    compare_command(cfg)


@command("runs")
def runs(cfg: DictConfig) -> None:
    """List, show, diff, reproduce, delete or export runs of the store."""
    from recsys.bookkeeping.command import runs_command

    sys.exit(runs_command(cfg))


@command("update_readme")
def update_readme(cfg: DictConfig) -> None:
    """Write a study's results table into a text such as the README."""
    from recsys.reports.readme import update_readme

    update_readme(cfg)


@command("prepare_data")
def prepare_data(cfg: DictConfig) -> None:
    """Validate and cache a data set, and print its statistics."""
    from recsys.preparation import prepare

    prepare(cfg)


@command("evaluate")
def evaluate(cfg: DictConfig) -> None:
    """Test a run of the store once more, from its saved weights."""
    from recsys.evaluation import evaluate_run

    sys.exit(evaluate_run(cfg))


@command("refit")
def refit(cfg: DictConfig) -> None:
    """Fit a finished run's setting on all interactions, for production."""
    from recsys.refitting import refit_command

    refit_command(cfg)


@command("recommend")
def recommend(cfg: DictConfig) -> None:
    """Recommend items by a run's model."""
    from recsys.serving.command import recommend_command

    recommend_command(cfg)


@command("profiles")
def profiles(cfg: DictConfig) -> None:
    """Write a page on what a run's user profiles look like."""
    from recsys.profile_views import profiles_command

    profiles_command(cfg)


@command("export")
def export(cfg: DictConfig) -> None:
    """Write the vectors of a run's items and users, for other programs to serve."""
    from recsys.serving.export import export_command

    export_command(cfg)


@command("pretrain")
def pretrain(cfg: DictConfig) -> None:
    """Pretrain a language model on the texts of the train part."""
    from recsys.pretraining import pretrain_command

    pretrain_command(cfg)
