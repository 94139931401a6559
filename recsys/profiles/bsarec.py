"""Self-attention mixed with a frequency filter over the history: BSARec's user encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.causal_attention import causal_mask, check_layers
from recsys.layers.frequency import BSARecLayer
from recsys.layers.lookup import take_rows
from recsys.layers.transformer_blocks import positions
from recsys.profiles.base import Profile
from recsys.schema import ConfigError, ModelContext, UserBatch
from recsys.support.number_checks import check_number


class BSARecProfile(Profile):
    """The output at the newest item of layers that add a Fourier filter's output to that of causal self-attention.

    Shin et al., "An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention", AAAI 2024. The
    filter is not causal: an item's state depends on later items. Each training example therefore needs a history of
    its own (`batches.train_history=before`). Positions are counted from the newest item backwards.

    Args:
        context: Sizes of the data.
        n_layers: Number of layers.
        n_heads: Attention heads; must divide the width of item vectors.
        max_positions: Length of the Fourier transform; older items are not read.
        n_frequencies: The lowest frequencies, from 0 on, that the filter keeps unchanged; the paper's ⌊c/2⌋ + 1.
        alpha: Weight of the filter, 0 to 1; self-attention has 1 − alpha.
        dropout: Dropout rate in training.

    Raises:
        ConfigError: If `n_heads` does not divide the width, or a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        n_layers: int = 2,
        n_heads: int = 2,
        max_positions: int = 50,
        n_frequencies: int = 3,
        alpha: float = 0.7,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_layers(context.dim, n_layers, n_heads, dropout)
        self.positions = positions(max_positions, context.dim)
        if not 1 <= n_frequencies <= max_positions // 2 + 1:
            limit = f"1 to {max_positions // 2 + 1}, which profile.max_positions={max_positions} allows"
            raise ConfigError(f"profile.n_frequencies is {n_frequencies}; expected {limit}.")
        check_number("profile.alpha", alpha, at_least=0, at_most=1)
        sizes = context.dim, n_heads, max_positions, n_frequencies, alpha, dropout
        self.layers = nn.ModuleList(BSARecLayer(*sizes) for _ in range(n_layers))
        self.norm, self.dropout = nn.LayerNorm(context.dim), nn.Dropout(dropout)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        lengths, length = users.history_mask.sum(dim=1), rows.shape[1]
        if length == 0:
            return item_vectors.new_zeros(len(rows), self.positions.embedding_dim)
        steps = torch.arange(length, device=rows.device)
        age = lengths.unsqueeze(1) - 1 - steps  # (B, L), 0 at the newest item, negative at padding
        known = (age >= 0) & (age < self.positions.num_embeddings)
        # Every position attends to itself, so that no row of the softmax is empty.
        mask = causal_mask(length, rows.device) & (known.unsqueeze(1) | (steps == steps.unsqueeze(1)))
        numbers = age.clamp(0, self.positions.num_embeddings - 1)
        states = self.dropout(self.norm(take_rows(item_vectors, rows) + self.positions(numbers)))
        newest = (lengths - 1).clamp(min=0).unsqueeze(1)
        for i, layer in enumerate(self.layers, start=1):
            only = newest if i == len(self.layers) else None  # of the last layer, one state is the output
            states = layer(states, known.unsqueeze(-1), mask.unsqueeze(1), only)
        return states[:, 0] * (lengths > 0).unsqueeze(1)
