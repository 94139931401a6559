"""Self-attention over the history, then additive attention: the user encoder of NRMS."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.additive_attention import masked_softmax
from recsys.layers.causal_attention import check_heads
from recsys.layers.lookup import take_rows
from recsys.profiles.attention import AttentionProfile
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_number


class SelfAttentionProfile(AttentionProfile):
    """The pooled outputs of multi-head self-attention, in which each item of the history attends to all items.

    Wu et al., "Neural News Recommendation with Multi-Head Self-Attention", EMNLP 2019, section 2.2. The order of the
    history is not read.

    Args:
        context: Sizes of the data.
        n_heads: Attention heads; must divide the width of item vectors.
        attention_dim: Width of the query vector that pools the outputs.
        dropout: Dropout rate on item vectors and attention weights, in training.

    Raises:
        ConfigError: If `n_heads` does not divide the width, or a value is impossible.
    """

    def __init__(self, context: ModelContext, n_heads: int = 4, attention_dim: int = 64, dropout: float = 0.2) -> None:
        super().__init__(context, attention_dim)
        check_heads(context.dim, n_heads)
        check_number("profile.dropout", dropout, at_least=0, below=1)
        self.dropout = nn.Dropout(dropout)
        self.attention = nn.MultiheadAttention(context.dim, n_heads, dropout, batch_first=True)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        if rows.shape[1] == 0:
            return item_vectors.new_zeros(len(rows), item_vectors.shape[1])
        states = self._states(users, item_vectors, rows)
        return (self._shares(states, users.history_mask).unsqueeze(-1) * states).sum(dim=1)

    def weights(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        return self._shares(self._states(users, item_vectors, rows), users.history_mask)

    def _states(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """States (B, L, dim) of the history's items after self-attention."""
        hidden = ~users.history_mask
        # An empty history attends to its padding, as a softmax over nothing is NaN; it is pooled to zeros.
        hidden = hidden & ~hidden.all(dim=1, keepdim=True)
        vectors = self.dropout(take_rows(item_vectors, rows))
        return self.attention(vectors, vectors, vectors, key_padding_mask=hidden, need_weights=False)[0]

    def _shares(self, states: Tensor, mask: Tensor) -> Tensor:
        return masked_softmax(self.query(torch.tanh(self.project(states))).squeeze(-1), mask)
