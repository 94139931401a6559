"""One learnt vector for each user; the history is not read."""

from __future__ import annotations

from torch import Tensor

from recsys.layers.embedding import WarmEmbedding
from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_number


class IdProfile(Profile):
    """An embedding of the user's index; zeros for a user without train interactions.

    Args:
        context: Sizes of the data.
        init_std: Standard deviation of the initial vectors.

    Raises:
        ConfigError: If `init_std` is negative.
    """

    reads_history = False
    reads_user = True

    def __init__(self, context: ModelContext, init_std: float = 0.1) -> None:
        super().__init__()
        check_number("profile.init_std", init_std, at_least=0)
        self.embedding = WarmEmbedding(context.warm_users, context.dim, init_std, context.trains_on_cold)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        if self.training:  # then every user has an index
            return self.embedding(users.idx)
        return self.embedding(users.idx.clamp(min=0)) * (users.idx >= 0).unsqueeze(-1)
