"""A Lightning callback that times epochs and evaluations, put into our run by its configuration."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from pytorch_lightning import Callback


class EpochTimer(Callback):
    """Collects seconds of the epochs and the validations of the latest fit in this process.

    An epoch lasts until the next one begins, without the validations between them: nothing that recurs is left out.
    """

    epochs: ClassVar[list[float]] = []
    validations: ClassVar[list[float]] = []
    _epoch_start: float | None = None
    _validation_start: float = 0.0

    def on_fit_start(self, *_: Any) -> None:
        """Forget the fit before."""
        self.epochs.clear()
        self.validations.clear()

    def on_train_epoch_start(self, *_: Any) -> None:
        """One epoch ends, the next begins."""
        self._end_epoch()
        self._epoch_start = time.perf_counter()

    def on_train_end(self, *_: Any) -> None:
        """The last epoch ends."""
        self._end_epoch()

    def on_validation_start(self, *_: Any) -> None:
        """An evaluation begins."""
        self._validation_start = time.perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        """An evaluation ends; its seconds are not the epoch's."""
        seconds = time.perf_counter() - self._validation_start
        self.validations.append(seconds)
        if self._epoch_start is not None:
            self._epoch_start += seconds

    def _end_epoch(self) -> None:
        if self._epoch_start is not None:
            self.epochs.append(time.perf_counter() - self._epoch_start)
        self._epoch_start = None
