"""A GRU that reads the history from the oldest item to the newest: the encoder of GRU4Rec and LSTUR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.embedding import WarmEmbedding
from recsys.layers.lookup import take_rows
from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_number, check_whole


class RecurrentProfile(Profile):
    """The state of a GRU after the newest item, projected to the item vectors' width.

    Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016. With `user_state` the GRU
    starts from a learnt vector of the user: An et al., "Neural News Recommendation with Long- and Short-term User
    Representations", ACL 2019 (LSTUR-ini). Without it, an empty history has zeros.

    Args:
        context: Sizes of the data.
        hidden_dim: Width of the GRU's state.
        n_layers: Number of stacked GRU layers.
        dropout: Share of item vectors' entries that are zeroed in training.
        user_state: Whether the GRU starts from a learnt user vector; zeros for users without train interactions.
        user_dropout: Share of users who start from zeros in a training step, as new users do.
        init_std: Standard deviation of the initial vectors of users.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        hidden_dim: int = 64,
        n_layers: int = 1,
        dropout: float = 0.0,
        user_state: bool = False,
        user_dropout: float = 0.5,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        check_whole("profile.hidden_dim", hidden_dim, 1)
        check_whole("profile.n_layers", n_layers, 1)
        check_number("profile.dropout", dropout, at_least=0, below=1)
        check_number("profile.user_dropout", user_dropout, at_least=0, at_most=1)
        check_number("profile.init_std", init_std, at_least=0)
        self.learns_sequences, self.reads_user = True, user_state
        self.dropout, self.user_dropout = nn.Dropout(dropout), nn.Dropout1d(user_dropout)
        self.gru = nn.GRU(context.dim, hidden_dim, n_layers, batch_first=True)
        self.project = nn.Linear(hidden_dim, context.dim)
        width = hidden_dim * n_layers
        starts = WarmEmbedding(context.warm_users, width, init_std, context.trains_on_cold) if user_state else None
        self.starts = starts

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        # Padding is at the right, so it does not change the state after the newest item.
        row, lengths = torch.arange(rows.shape[0], device=rows.device), users.history_mask.sum(dim=1)
        return self._after(users.idx, item_vectors, rows, row, lengths)

    def at_positions(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        assert users.positions is not None
        row = users.positions.row
        owners = users.idx.new_zeros(len(rows)).index_copy(0, row, users.idx)
        return self._after(owners, item_vectors, rows[:, :-1], row, users.positions.position)

    def _after(self, owners: Tensor, item_vectors: Tensor, rows: Tensor, row: Tensor, n: Tensor) -> Tensor:
        """Vectors (B, dim) after the first `n` (B,) items of histories `row` (B,), whose owners are (H,)."""
        start = self._starts(owners)  # (n_layers, H, hidden_dim)
        states = start[-1].unsqueeze(1)
        if rows.shape[1]:
            states = torch.cat([states, self.gru(self.dropout(take_rows(item_vectors, rows)), start)[0]], dim=1)
        vectors = self.project(states[row, n])
        return vectors if self.starts is not None else vectors * (n > 0).unsqueeze(-1)

    def _starts(self, owners: Tensor) -> Tensor:
        layers, width = self.gru.num_layers, self.gru.hidden_size
        if self.starts is None:
            return self.project.weight.new_zeros(layers, owners.shape[0], width)
        known = self.starts(owners.clamp(min=0)) * (owners >= 0).unsqueeze(-1)
        # Dropout1d drops whole rows: (1, H, width) is H channels.
        return self.user_dropout(known.unsqueeze(0)).view(owners.shape[0], layers, width).transpose(0, 1).contiguous()
