"""Who the user is: one learnt vector for each user, blind to the history."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch


class IdProfile(Profile):
    """An embedding of the user's index; zeros for a user without train interactions, who has nothing learnt.

    Args:
        context: Sizes of the data.
        init_std: Standard deviation of the initial embedding.
    """

    reads_history: ClassVar[bool] = False
    known: Tensor

    def __init__(self, context: ModelContext, init_std: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(context.n_users, context.dim)
        nn.init.normal_(self.embedding.weight, std=init_std)
        self.register_buffer("known", context.warm_users.clone(), persistent=False)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        idx = users.idx.clamp(min=0)
        known = self.known[idx] & (users.idx >= 0)
        return self.embedding(idx) * known.unsqueeze(-1)
