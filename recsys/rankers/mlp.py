"""A multi-layer perceptron on user, item and their product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from recsys.rankers.base import OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ConfigError, ModelContext
from recsys.support.number_checks import check_number, check_whole, check_wholes

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
USERS_AT_ONCE = 8  # in a block of a catalogue's scores


class MLPRanker(Ranker):
    """Y = σ(W₃·σ(W₂·σ(W₁X + b₁) + b₂) + b₃) with X = [u; i; u∘i].

    The outermost σ belongs to the loss: it keeps the order, and scores stay raw. W₁X is computed as the sum of
    W₁ᵘu, W₁ⁱi and W₁ᵖ(u∘i), so the first two are computed once for each user and item instead of for each pair.

    Args:
        context: Sizes of the data.
        hidden_dims: Widths of the hidden layers; two of them and the output make the three layers of the formula.
        activation: σ of the hidden layers: relu, gelu, tanh or sigmoid.
        dropout: Dropout rate after each hidden layer, in training.
        max_hidden: Bound on the entries of the first hidden layer that are in memory at once when a catalogue is
            scored; small enough for a core's cache is fastest.

    Raises:
        ConfigError: If there is no hidden layer, a value is impossible, or the activation is unknown.
    """

    def __init__(
        self,
        context: ModelContext,
        hidden_dims: Sequence[int] = (32, 16),
        activation: str = "relu",
        dropout: float = 0.0,
        max_hidden: int = 262_144,
    ) -> None:
        super().__init__()
        check_wholes("ranker.hidden_dims", hidden_dims, 1, "[64, 32]")
        check_number("ranker.dropout", dropout, at_least=0, below=1)
        check_whole("ranker.max_hidden", max_hidden, 1)
        widths = list(hidden_dims)
        if activation not in ACTIVATIONS:
            raise ConfigError(f"ranker.activation is {activation!r}; expected one of {', '.join(ACTIVATIONS)}.")
        self.max_hidden = max_hidden
        self.user_part = nn.Linear(context.dim, widths[0])
        self.item_part = nn.Linear(context.dim, widths[0], bias=False)
        self.product_part = nn.Linear(context.dim, widths[0], bias=False)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(nn.Linear(wide, narrow) for wide, narrow in pairwise([*widths, 1]))

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        product = self.product_part(users.vectors.unsqueeze(1) * items.vectors)
        hidden = self.user_part(users.vectors).unsqueeze(1) + items.apply(self.item_part) + product  # (B, N, width)
        return self._output(hidden).squeeze(-1)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        width = self.item_part.out_features
        parts = items.vectors.split(max(1, self.max_hidden // (USERS_AT_ONCE * width)))
        blocks = users.vectors.split(USERS_AT_ONCE)
        return torch.cat([self._score_block(block, parts) for block in blocks])

    def _score_block(self, user_vectors: Tensor, item_parts: Sequence[Tensor]) -> Tensor:
        # For a given user, W₁ⁱi + W₁ᵖ(u∘i) is one matrix times i: (W₁ⁱ + W₁ᵖ diag(u)) i.
        weights = user_vectors.unsqueeze(1) * self.product_part.weight + self.item_part.weight  # (B, width, dim)
        stacked, bias = weights.flatten(0, 1), self.user_part(user_vectors).flatten()
        scores = []
        for part in item_parts:
            hidden = nn.functional.linear(part, stacked, bias).view(-1, weights.shape[1])  # item by item, its B users
            scores.append(self._output(hidden).view(-1, len(user_vectors)))
        return torch.cat(scores).T

    def _output(self, hidden: Tensor) -> Tensor:
        """Scores (*, 1) of first hidden layers (*, width), before their activation."""
        for layer in self.layers:
            hidden = layer(self.dropout(self.activation(hidden)))
        return hidden
