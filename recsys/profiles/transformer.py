"""Causal self-attention over the history: SASRec's user encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.lookup import take_rows
from recsys.layers.transformer_blocks import positions, state_at, transformer
from recsys.profiles.base import Profile, after_each
from recsys.schema import ConfigError, ModelContext, UserBatch

NEWEST, OLDEST = "newest", "oldest"


class TransformerProfile(Profile):
    """The output at the newest item of a causal transformer over the history.

    Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018.

    Args:
        context: Sizes of the data.
        n_layers: Number of transformer layers.
        n_heads: Attention heads; must divide the width of item vectors.
        max_positions: Number of positions; items further from the start of the count share the last one.
        dropout: Dropout rate in training.
        count_from: Where positions are counted from. `newest`: backwards from the newest item, so that truncating a
            history does not change positions. `oldest`: from the oldest item that is read, as in the paper; positions
            then do not depend on later items, so that all positions of a sequence can be trained on at once.

    Raises:
        ConfigError: If `n_heads` does not divide the width, a size is not positive, or `count_from` is unknown.
    """

    def __init__(
        self,
        context: ModelContext,
        n_layers: int = 2,
        n_heads: int = 2,
        max_positions: int = 200,
        dropout: float = 0.1,
        count_from: str = NEWEST,
    ) -> None:
        super().__init__()
        if count_from not in (NEWEST, OLDEST):
            raise ConfigError(f"profile.count_from is {count_from!r}; expected {NEWEST!r} or {OLDEST!r}.")
        self.learns_sequences = count_from == OLDEST
        self.positions = positions(max_positions, context.dim)
        self.layers = transformer(context.dim, n_layers, n_heads, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        lengths = users.history_mask.sum(dim=1)
        if rows.shape[1] == 0:
            return item_vectors.new_zeros(len(rows), self.positions.embedding_dim)
        steps = torch.arange(rows.shape[1], device=rows.device)
        numbers = steps.expand(rows.shape) if self.learns_sequences else lengths.unsqueeze(1) - 1 - steps
        newest = (lengths - 1).clamp(min=0)
        return state_at(self.layers, self._inputs(item_vectors, rows, numbers), newest) * (lengths > 0).unsqueeze(1)

    def at_positions(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        assert users.positions is not None
        if rows.shape[1] < 2:  # no position has an earlier item
            return item_vectors.new_zeros(len(users.idx), self.positions.embedding_dim)
        known = rows[:, :-1]
        steps = torch.arange(known.shape[1], device=rows.device)
        causal = steps.unsqueeze(0) > steps.unsqueeze(1)  # (L, L), True where a later item must not be seen
        states = self.layers(self._inputs(item_vectors, known, steps.expand(known.shape)), mask=causal, is_causal=True)
        return after_each(states, users.positions.row, users.positions.position)

    def _inputs(self, item_vectors: Tensor, rows: Tensor, numbers: Tensor) -> Tensor:
        """Vectors (B, L, dim) of the items at their positions, whose numbers are (B, L)."""
        numbers = numbers.clamp(0, self.positions.num_embeddings - 1)
        return self.dropout(take_rows(item_vectors, rows) + self.positions(numbers))
