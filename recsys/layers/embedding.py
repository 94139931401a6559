"""Learnt vectors of users or items that have train interactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.lookup import take_rows


class WarmEmbedding(nn.Embedding):
    """A learnt vector for each index with train interactions; zeros for a cold one, whose own is never learnt.

    Args:
        warm: (n,) bool, whether an index has train interactions.
        dim: Width of the vectors.
        init_std: Standard deviation of the initial vectors.
        trains_on_cold: Whether training may ask for a cold index; where it cannot, it spends no time on zeros.

    Attributes:
        catch_up: Called with the indices that are read next (None: all), for an optimizer with lazy row updates;
            returns whether it needs a gradient of these rows only.
    """

    warm: Tensor
    cold: Tensor

    def __init__(self, warm: Tensor, dim: int, init_std: float, trains_on_cold: bool) -> None:
        super().__init__(len(warm), dim)
        nn.init.normal_(self.weight, std=init_std)
        self.register_buffer("warm", warm.clone(), persistent=False)
        self.register_buffer("cold", (~warm).nonzero().squeeze(1), persistent=False)
        self.trains_on_cold = trains_on_cold
        self.catch_up: Callable[[Tensor | None], bool] | None = None

    def forward(self, idx: Tensor) -> Tensor:
        """Vectors (*, dim) of indices (*)."""
        vectors = self._read(idx)
        return vectors * take_rows(self.warm, idx).unsqueeze(-1) if self._asks_for_cold() else vectors

    def table(self) -> Tensor:
        """Vectors (n, dim) of all indices."""
        if self.catch_up is not None:
            self.catch_up(None)
        if self._asks_for_cold():
            return self.weight.index_fill(0, self.cold, 0.0)
        return self.weight.view_as(self.weight)  # no parameter, which a module that keeps it would take for its own

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        if self.catch_up is not None:
            self.catch_up(None)
        super()._save_to_state_dict(*args, **kwargs)

    def _read(self, idx: Tensor) -> Tensor:
        if self.catch_up is not None and self.catch_up(idx):
            return functional.embedding(idx, self.weight, sparse=True)
        return take_rows(self.weight, idx)

    def _asks_for_cold(self) -> bool:
        return len(self.cold) > 0 and (self.trains_on_cold or not self.training)
