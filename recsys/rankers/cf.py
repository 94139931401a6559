"""Collaborative filtering: matrix factorisation with biases, hybrid where items have text."""

from __future__ import annotations

from torch import Tensor, nn

from recsys.rankers.base import ItemSide, Ranker, UserSide
from recsys.schema import ModelContext


class CFRanker(Ranker):
    """score(u, i) = b_i + p_u·q_i (+ b_u), with q_i the item's ID embedding plus its projected text.

    Koren, Bell and Volinsky, "Matrix Factorization Techniques for Recommender Systems", Computer 2009, equation 4; the
    global mean is left out, as it changes no ranking. With `profile=id`, p_u is learnt for each user; with a profile of
    the history it is made of the q of what the user did (as in FISM), and serves new users as well. Biases of users and
    items without train interactions are 0.

    Args:
        context: Sizes of the data.
        item_bias: Whether items have a bias, which learns their popularity.
        user_bias: Whether users have one: it changes no ranking, but lets pointwise losses fit how active a user is.
    """

    warm_items: Tensor
    warm_users: Tensor

    def __init__(self, context: ModelContext, item_bias: bool = True, user_bias: bool = False) -> None:
        super().__init__()
        self.item_bias = nn.Parameter(context.item_counts.new_zeros(context.n_items).float()) if item_bias else None
        self.user_bias = nn.Parameter(context.item_counts.new_zeros(context.n_users).float()) if user_bias else None
        self.register_buffer("warm_items", context.warm_items.clone(), persistent=False)
        self.register_buffer("warm_users", context.warm_users.clone(), persistent=False)

    def score(self, users: UserSide, items: ItemSide) -> Tensor:
        # Not a batched matrix product, which is several times slower for so few items of each user.
        product = (items.vectors * users.vectors.unsqueeze(1)).sum(dim=-1)
        return self._with_biases(product, users, items)

    def score_catalogue(self, users: UserSide, items: ItemSide) -> Tensor:
        return self._with_biases(users.vectors @ items.vectors.T, users, items)

    def _with_biases(self, scores: Tensor, users: UserSide, items: ItemSide) -> Tensor:
        if self.item_bias is not None:
            scores = scores + self.item_bias[items.idx] * self.warm_items[items.idx]
        if self.user_bias is not None:
            idx = users.batch.idx.clamp(min=0)
            known = self.warm_users[idx] & (users.batch.idx >= 0)
            scores = scores + (self.user_bias[idx] * known).unsqueeze(-1)
        return scores
