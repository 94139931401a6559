"""The command lines: thin wrappers that compose, call and print. Importing this imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from recsys.interruption import stoppable

if TYPE_CHECKING:
    from omegaconf import DictConfig


def command(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """A command line out of a function of its configuration; an error that the user can mend has no traceback.

    The exit status is 2 for an error that the user can mend, 1 for any other, 130 after SIGINT, 143 after SIGTERM.
    """

    def decorate(function: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        @wraps(function)
        def main() -> None:
            with stoppable():  # from before the first library is imported
                from recsys.command_line import run_command

                run_command(function, config_name)

        return main

    return decorate


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
