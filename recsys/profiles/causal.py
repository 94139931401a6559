"""The common part of profiles made of causal layers: each item's state depends on itself and earlier items."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from recsys.layers.lookup import take_rows
from recsys.layers.transformer_blocks import positions
from recsys.profiles.base import Profile, after_each
from recsys.schema import UserBatch


class CausalProfile(Profile):
    """The state at the newest item after causal layers and a final layer normalisation.

    Positions are counted from the oldest item that is read. An item's state therefore does not depend on later items,
    and training can use all positions of a sequence at once.

    Args:
        layers: Modules that map vectors (B, L, dim), oldest first, to the same shape.
        dim: Width of item vectors.
        max_positions: Later items share the last position.
        dropout: Dropout rate of the input vectors in training.

    Raises:
        ConfigError: If `max_positions` is not positive.
    """

    learns_sequences = True

    def __init__(self, layers: Iterable[nn.Module], dim: int, max_positions: int, dropout: float) -> None:
        super().__init__()
        self.positions, self.dropout = positions(max_positions, dim), nn.Dropout(dropout)
        self.layers, self.norm = nn.Sequential(*layers), nn.LayerNorm(dim)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        every = torch.arange(rows.shape[0], device=rows.device)
        return self._after(item_vectors, rows, every, users.history_mask.sum(dim=1))

    def at_positions(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        assert users.positions is not None
        return self._after(item_vectors, rows[:, :-1], users.positions.row, users.positions.position)

    def _after(self, item_vectors: Tensor, rows: Tensor, row: Tensor, n: Tensor) -> Tensor:
        """States (B, dim) after the first `n` (B,) items of histories `row` (B,), of all histories `rows` (H, L)."""
        if rows.shape[1] == 0:
            return item_vectors.new_zeros(len(row), self.positions.embedding_dim)
        numbers = torch.arange(rows.shape[1], device=rows.device).clamp(max=self.positions.num_embeddings - 1)
        inputs = self.dropout(take_rows(item_vectors, rows) + self.positions(numbers))
        return after_each(self.norm(self.layers(inputs)), row, n)
