"""A GRU that reads the history from the oldest item to the newest: GRU4Rec's session encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.lookup import take_rows
from recsys.profiles.base import Profile, after_each
from recsys.schema import ConfigError, ModelContext, UserBatch


class RecurrentProfile(Profile):
    """The state of a GRU after the newest item, projected to the item vectors' width.

    Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016.

    Args:
        context: Sizes of the data.
        hidden_dim: Width of the GRU's state.
        n_layers: Number of stacked GRU layers.
        dropout: Share of item vectors' entries that are zeroed in training.

    Raises:
        ConfigError: If a size is not positive.
    """

    def __init__(self, context: ModelContext, hidden_dim: int = 64, n_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.learns_sequences = True
        if hidden_dim < 1 or n_layers < 1:
            raise ConfigError(
                f"profile.hidden_dim is {hidden_dim} and profile.n_layers is {n_layers}; expected both to be positive."
            )
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(context.dim, hidden_dim, n_layers, batch_first=True)
        self.project = nn.Linear(hidden_dim, context.dim)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        if rows.shape[1] == 0:
            return item_vectors.new_zeros(len(rows), self.project.out_features)
        # Padding stands at the right, so the state after the newest item is untouched by it.
        states = self._states(item_vectors, rows)
        return self._after_each(states, torch.arange(len(rows), device=rows.device), users.history_mask.sum(dim=1))

    def at_places(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        assert users.places is not None
        if rows.shape[1] < 2:  # nothing comes before a place
            return item_vectors.new_zeros(len(users.idx), self.project.out_features)
        return self._after_each(self._states(item_vectors, rows[:, :-1]), users.places.row, users.places.place)

    def _states(self, item_vectors: Tensor, rows: Tensor) -> Tensor:
        states, _ = self.gru(self.dropout(take_rows(item_vectors, rows)))
        return states

    def _after_each(self, states: Tensor, row: Tensor, n: Tensor) -> Tensor:
        return self.project(after_each(states, row, n)) * (n > 0).unsqueeze(-1)
