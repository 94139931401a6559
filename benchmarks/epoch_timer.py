"""A Lightning callback that times epochs and evaluations, put into our run by its configuration."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from pytorch_lightning import Callback, Trainer


class EpochTimer(Callback):
    """Collects seconds of the epochs and the validations of the latest fit in this process.

    An epoch lasts until the next one begins, without the validations between them: nothing that recurs is left out.
    Where only a part is done, the seconds of its steps or chunks are multiplied, and what an epoch or a validation
    costs but once is not.

    Args:
        steps: Optimizer steps of an epoch, rounded up to those that are prepared together; 0 for all. Lightning's
            `limit_train_batches` would change how they are taken; its `limit_val_batches` serves for validations.
    """

    epochs: ClassVar[list[float]] = []
    validations: ClassVar[list[float]] = []
    _epoch_start: float | None = None
    _validation_start: float = 0.0
    _first_chunk_start: float = 0.0
    _last_step_end: float = 0.0
    _train: FirstBatches | None = None
    _chunks: int = 0  # of a whole validation, where only a part is done

    def __init__(self, steps: int = 0) -> None:
        self.steps = steps

    def on_fit_start(self, trainer: Trainer, *_: Any) -> None:
        """Forget the fit before."""
        self.epochs.clear()
        self.validations.clear()
        data: Any = getattr(trainer, "datamodule", None)
        if self.steps:
            self._train = FirstBatches(data.train_dataloader(), self.steps)
            data.train_dataloader = lambda: self._train
        if trainer.limit_val_batches != 1.0:
            self._chunks = len(data.val_dataloader())

    def on_train_epoch_start(self, *_: Any) -> None:
        """One epoch ends, the next begins."""
        self._end_epoch()
        self._epoch_start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """Steps end."""
        self._last_step_end = time.perf_counter()

    def on_train_end(self, *_: Any) -> None:
        """The last epoch ends."""
        self._end_epoch()

    def on_validation_start(self, *_: Any) -> None:
        """An evaluation begins."""
        self._validation_start = time.perf_counter()

    def on_validation_batch_start(self, trainer: Trainer, module: Any, batch: Any, idx: int, *_: Any) -> None:
        """A chunk of users begins."""
        if idx == 0:
            self._first_chunk_start = time.perf_counter()

    def on_validation_batch_end(
        self, trainer: Trainer, module: Any, outputs: Any, batch: Any, idx: int, *_: Any
    ) -> None:
        """A chunk of users ends."""
        self._chunks_seconds, self._chunks_done = time.perf_counter() - self._first_chunk_start, idx + 1

    def on_validation_end(self, *_: Any) -> None:
        """An evaluation ends; its seconds are not the epoch's."""
        seconds = time.perf_counter() - self._validation_start
        further = (self._chunks / self._chunks_done - 1) * self._chunks_seconds if self._chunks else 0.0
        self.validations.append(seconds + further)
        if self._epoch_start is not None:
            self._epoch_start += seconds

    def _end_epoch(self) -> None:
        if self._epoch_start is not None:
            further = 0.0 if self._train is None else self._train.seconds_of_others(self._last_step_end)
            self.epochs.append(time.perf_counter() - self._epoch_start + further)
        self._epoch_start = None


class FirstBatches:
    """The first lists of batches of each epoch of a loader of ours.

    Args:
        loader: Of lists of batches.
        steps: Batches to be had at least.
    """

    def __init__(self, loader: Any, steps: int) -> None:
        self.loader, self.n_steps = loader, math.ceil(loader.n / loader.size)
        self.n = min(len(loader), math.ceil(steps / loader.steps_at_once))
        self.taken, self.start = 0, 0.0

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[list[Any]]:
        self.taken = 0
        for batches in itertools.islice(self.loader, self.n):
            self.start = self.start if self.taken else time.perf_counter()
            self.taken += len(batches)
            yield batches

    def seconds_of_others(self, end: float) -> float:
        """What the epoch's other steps would have taken, given when those that were taken ended."""
        return (self.n_steps / self.taken - 1) * (end - self.start)
