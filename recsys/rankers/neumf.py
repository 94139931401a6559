"""Neural matrix factorisation: a generalised product and a multi-layer perceptron, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from recsys.layers.chunking import in_parts
from recsys.rankers.base import OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ConfigError, ModelContext
from recsys.support.number_checks import check_number, check_whole, check_wholes


class NeuMFRanker(Ranker):
    """score(u, i) = hᵀ(p∘q) + MLP([r; s]) with u = [p; r] and i = [q; s].

    He et al., "Neural Collaborative Filtering", WWW 2017, equation 12: both parts have embeddings of their own, which
    are the two halves of the vectors here, and one linear layer combines their outputs. The perceptron's first layer is
    the sum of a user's and an item's part, so each is computed once instead of for each pair.

    Args:
        context: Sizes of the data, and the width of vectors, which must be even.
        hidden_dims: Widths of the perceptron's hidden layers, each with a ReLU.
        dropout: Dropout rate after each hidden layer, in training.
        max_hidden: Bound on the entries of the first hidden layer that are in memory at once when a catalogue is
            scored.

    Raises:
        ConfigError: If there is no hidden layer, a value is impossible, or the width of vectors is odd.
    """

    def __init__(
        self,
        context: ModelContext,
        hidden_dims: Sequence[int] = (32, 16, 8),
        dropout: float = 0.0,
        max_hidden: int = 262_144,
    ) -> None:
        super().__init__()
        check_wholes("ranker.hidden_dims", hidden_dims, 1, "[32, 16]")
        check_number("ranker.dropout", dropout, at_least=0, below=1)
        check_whole("ranker.max_hidden", max_hidden, 1)
        widths = list(hidden_dims)
        if context.dim % 2:
            raise ConfigError(
                f"features.dim is {context.dim}; ranker=neumf halves the vectors and needs an even width."
            )
        self.product_dim, self.max_hidden = context.dim // 2, max_hidden
        self.product_weights = nn.Parameter(torch.ones(self.product_dim))  # h: ones, as in matrix factorisation
        self.user_part = nn.Linear(self.product_dim, widths[0])
        self.item_part = nn.Linear(self.product_dim, widths[0], bias=False)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(nn.Linear(wide, narrow) for wide, narrow in pairwise([*widths, 1]))

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        # Zeros for the other half remove it from the product.
        weighted = torch.cat([self._weighted(users), torch.zeros_like(users.vectors[:, self.product_dim :])], dim=1)
        hidden = self._user_hidden(users).unsqueeze(1) + items.apply(self._item_hidden)  # (B, N, width)
        return items.products(weighted) + self._perceptron(hidden)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        of_items = self._item_hidden(items.vectors)
        n_users = max(1, self.max_hidden // max(1, of_items.numel()))
        hidden = self._user_hidden(users)
        scores = in_parts(lambda part: self._perceptron(part.unsqueeze(1) + of_items), hidden, n_users)
        return torch.addmm(scores, self._weighted(users), items.vectors[:, : self.product_dim].T)

    def _weighted(self, users: UserSide) -> Tensor:
        return users.vectors[:, : self.product_dim] * self.product_weights

    def _user_hidden(self, users: UserSide) -> Tensor:
        return self.user_part(users.vectors[:, self.product_dim :])

    def _item_hidden(self, vectors: Tensor) -> Tensor:
        return self.item_part(vectors[..., self.product_dim :])

    def _perceptron(self, hidden: Tensor) -> Tensor:
        """Scores (*) of first hidden layers (*, width), before their activation."""
        for layer in self.layers:
            hidden = layer(self.dropout(torch.relu_(hidden)))
        return hidden.squeeze(-1)
