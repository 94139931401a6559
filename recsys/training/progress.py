"""Training progress that survives an interruption."""

from __future__ import annotations

import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from recsys import schema


class FitProgress(Callback):
    """Collects the metrics of each epoch and the seconds of training; a resumed run continues those of its checkpoint.

    Attributes:
        curve: For each epoch: `epoch`, "train/loss" and the validation metrics.
    """

    watches_training = False

    def __init__(self) -> None:
        self.curve: list[dict[str, float]] = []
        self.seconds_before = 0.0
        self.start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds of the whole fit, without the time between an interruption and the resumption."""
        return self.seconds_before + time.perf_counter() - self.start

    def restart(self) -> None:
        """Count the seconds of this process from now on."""
        self.start = time.perf_counter()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        loss = float(trainer.strategy.reduce(pl_module.mean_loss, reduce_op="mean"))  # of all processes
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        self.curve.append({"epoch": trainer.current_epoch, schema.LOSS: loss, **metrics})

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve, self.seconds_before = list(state_dict["curve"]), state_dict["seconds"]
