"""Learnt vectors of users or items that have train interactions."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.lookup import take_rows


class WarmEmbedding(nn.Embedding):
    """A learnt vector for each index with train interactions; zeros for a cold one, whose vector is never trained.

    Args:
        warm: (n,) bool, whether an index has train interactions.
        dim: Width of the vectors.
        init_std: Standard deviation of the initial vectors.
        trains_on_cold: Whether cold indices can occur in training; if not, training does not check for them.

    Attributes:
        before_read: Set by an optimizer with lazy row updates, else None (see `recsys.optim.lazy_updates`).
    """

    warm: Tensor
    cold: Tensor

    def __init__(self, warm: Tensor, dim: int, init_std: float, trains_on_cold: bool) -> None:
        super().__init__(len(warm), dim)
        nn.init.normal_(self.weight, std=init_std)
        self.register_buffer("warm", warm.clone(), persistent=False)
        self.register_buffer("cold", (~warm).nonzero().squeeze(1), persistent=False)
        self.trains_on_cold = trains_on_cold
        self.before_read: Callable[[Tensor | None], bool] | None = None

    def forward(self, idx: Tensor) -> Tensor:
        """Vectors (*, dim) of indices (*)."""
        vectors = self._read(idx)
        return vectors * take_rows(self.warm, idx).unsqueeze(-1) if self._asks_for_cold() else vectors

    def table(self) -> Tensor:
        """Vectors (n, dim) of all indices."""
        if self.before_read is not None:
            self.before_read(None)
        if self._asks_for_cold():
            return self.weight.index_fill(0, self.cold, 0.0)
        return self.weight.view_as(self.weight)  # not the parameter, which a module with this attribute would register

    def _read(self, idx: Tensor) -> Tensor:
        if self.before_read is not None and self.before_read(idx):
            return functional.embedding(idx, self.weight, sparse=True)
        return take_rows(self.weight, idx)

    def _asks_for_cold(self) -> bool:
        return len(self.cold) > 0 and (self.trains_on_cold or not self.training)
