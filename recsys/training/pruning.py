"""Pruning: unpromising trials of a search end early."""

from __future__ import annotations

import warnings

import optuna
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn


class Pruning(Callback):
    """Reports the monitored metric of each epoch to Optuna, and raises `optuna.TrialPruned` if the pruner decides so.

    Args:
        trial: The run's trial.
        monitor: The metric, such as "val/ndcg@10".
    """

    watches_training = False

    def __init__(self, trial: optuna.Trial, monitor: str) -> None:
        self.trial, self.monitor = trial, monitor

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        with warnings.catch_warnings():  # an epoch that an interrupted run had reported is reported again, and ignored
            warnings.simplefilter("ignore")
            self.trial.report(float(trainer.callback_metrics[self.monitor]), trainer.current_epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned
