"""Additive attention over the history: the user encoder's pooling of NRMS."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.additive_attention import masked_softmax
from recsys.layers.lookup import row_sums, take_rows
from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_whole


class AttentionProfile(Profile):
    """A weighted mean of the history, the weights softmax(qᵀ tanh(V h + v)).

    Wu et al., "Neural News Recommendation with Multi-Head Self-Attention", EMNLP 2019, equations 5 and 6.

    Args:
        context: Sizes of the data.
        attention_dim: Width of the query vector q.

    Raises:
        ConfigError: If `attention_dim` is not positive.
    """

    def __init__(self, context: ModelContext, attention_dim: int = 64) -> None:
        super().__init__()
        check_whole("profile.attention_dim", attention_dim, 1)
        self.project = nn.Linear(context.dim, attention_dim)
        self.query = nn.Linear(attention_dim, 1, bias=False)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        return row_sums(self.weights(users, item_vectors, rows), item_vectors, rows)

    def weights(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        """The attention weight (B, L) of each item of the history; zeros for an empty history."""
        # An item's logit is the same in all histories, so it is computed once.
        logits = take_rows(self.query(torch.tanh(self.project(item_vectors))).squeeze(-1), rows)
        return masked_softmax(logits, users.history_mask)
