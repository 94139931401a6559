"""Causal self-attention over the history: SASRec's user encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.lookup import take_rows
from recsys.profiles.base import Profile
from recsys.schema import ConfigError, ModelContext, UserBatch


class TransformerProfile(Profile):
    """The output at the newest item of a causal transformer over the history.

    Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018. Positions are counted from the newest item
    backwards, so that neither padding nor the cut of an old history changes them.

    Args:
        context: Sizes of the data.
        n_layers: Number of transformer layers.
        n_heads: Attention heads; must divide the width of item vectors.
        max_positions: Items further back than this share one position.
        dropout: Dropout rate in training.

    Raises:
        ConfigError: If `n_heads` does not divide the width, or a size is not positive.
    """

    def __init__(
        self,
        context: ModelContext,
        n_layers: int = 2,
        n_heads: int = 2,
        max_positions: int = 200,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if n_layers < 1 or max_positions < 1:
            raise ConfigError(
                f"profile.n_layers is {n_layers} and profile.max_positions is {max_positions}; "
                "expected positive numbers."
            )
        if n_heads < 1 or context.dim % n_heads:
            raise ConfigError(
                f"profile.n_heads is {n_heads}; expected a divisor of features.dim, which is {context.dim}."
            )
        self.positions = nn.Embedding(max_positions, context.dim)
        nn.init.normal_(self.positions.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            context.dim, n_heads, 4 * context.dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, n_layers, nn.LayerNorm(context.dim), enable_nested_tensor=False)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        length = rows.shape[1]
        lengths = users.history_mask.sum(dim=1)
        if length == 0:
            return item_vectors.new_zeros(len(rows), self.positions.embedding_dim)
        steps = torch.arange(length, device=lengths.device)
        age = (lengths.unsqueeze(1) - 1 - steps).clamp(0, self.positions.num_embeddings - 1)
        causal = steps.unsqueeze(0) > steps.unsqueeze(1)  # (L, L), True where a later item must not be seen
        states = self.layers(self.dropout(take_rows(item_vectors, rows) + self.positions(age)), mask=causal)
        newest = states[torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)]
        return newest * (lengths > 0).unsqueeze(-1)
