"""The protocol of lazy row updates between embeddings, the training loop and an optimizer.

1. An embedding has an attribute `before_read` (`LazyRows`). If it is set, the embedding calls it before each read.
2. An optimizer that can update rows lazily has `begin_lazy_updates` and `end_lazy_updates` (`LazyUpdates`).
3. The training loop calls the first when an epoch begins in which only the step reads or changes weights. It calls the
   second in the epoch's last training step. At all other times every weight is up to date, so validation, checkpoints
   and callbacks read current weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class LazyRows(Protocol):
    """An embedding whose rows an optimizer may update lazily, only when they are read.

    Attributes:
        weight: The table (n, dim).
        before_read: Called with the indices (*) that are read next, None for all rows; returns whether the gradient of
            this read must be sparse. None: rows are up to date, and gradients are dense.
    """

    weight: nn.Parameter
    before_read: Callable[[Tensor | None], bool] | None

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> Any:
        """As in `torch.nn.Module`."""


@runtime_checkable
class LazyUpdates(Protocol):
    """An optimizer that may update the rows of embeddings lazily."""

    def begin_lazy_updates(self, embeddings: Iterable[LazyRows]) -> None:
        """From now on, rows of these embeddings may be out of date between two reads."""

    def end_lazy_updates(self) -> None:
        """Bring all rows up to date; further steps update all rows."""


def begin_lazy_updates(optimizer: object, model: nn.Module) -> None:
    """Allow lazy updates of the rows of a model's embeddings; no effect on an optimizer without lazy updates."""
    if isinstance(optimizer, LazyUpdates):
        optimizer.begin_lazy_updates(part for part in model.modules() if isinstance(part, LazyRows))


def end_lazy_updates(optimizer: object) -> None:
    """Bring all rows up to date; no effect on an optimizer without lazy updates."""
    if isinstance(optimizer, LazyUpdates):
        optimizer.end_lazy_updates()
