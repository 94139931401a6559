"""Collaborative filtering: matrix factorisation with biases, hybrid where items have text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.lookup import take_rows
from recsys.rankers.base import Factorised, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ModelContext


class CFRanker(Ranker, Factorised):
    """score(u, i) = b_i + p_u·q_i (+ b_u), with q_i the item's ID embedding plus its projected text.

    Koren, Bell and Volinsky, "Matrix Factorization Techniques for Recommender Systems", Computer 2009, equation 4; the
    global mean is omitted, as it changes no ranking. With `profile=id`, p_u is learnt for each user; with a profile of
    the history it is computed from the q of the history's items (as in FISM), also for new users. Biases of users and
    items without train interactions are 0.

    Args:
        context: Sizes of the data.
        item_bias: Whether items have a bias, which learns their popularity.
        user_bias: Whether users have a bias. It changes no ranking, but pointwise losses fit users' activity with it.
    """

    warm_items: Tensor
    warm_users: Tensor
    is_linear = True

    def __init__(self, context: ModelContext, item_bias: bool = True, user_bias: bool = False) -> None:
        super().__init__()
        self.item_bias = nn.Parameter(context.item_counts.new_zeros(context.n_items).float()) if item_bias else None
        self.user_bias = nn.Parameter(context.item_counts.new_zeros(context.n_users).float()) if user_bias else None
        self.reads_user, self.trains_on_cold = user_bias, context.trains_on_cold
        self.register_buffer("warm_items", context.warm_items.clone(), persistent=False)
        self.register_buffer("warm_users", context.warm_users.clone(), persistent=False)

    def item_factors_of(self, items: SharedItems) -> Tensor:
        one = items.vectors.new_ones(len(items.idx), 1)
        columns = [] if self.item_bias is None else [self._item_bias(items).unsqueeze(1)]
        return torch.cat([items.vectors, *columns, *([] if self.user_bias is None else [one])], dim=1)

    def user_factors_of(self, users: UserSide) -> Tensor:
        one = users.vectors.new_ones(users.vectors.shape[0], 1)
        columns = [] if self.item_bias is None else [one]
        columns += [] if self.user_bias is None else [self._with_user_bias(one - 1, users)]
        return torch.cat([users.vectors, *columns], dim=1)

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        scores = items.products(users.vectors)
        scores = scores if self.item_bias is None else scores + self._item_bias(items)
        return self._with_user_bias(scores, users)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        # The items' biases enter with the product, in one pass over the scores.
        zero = users.vectors.new_zeros(())
        bias = zero if self.item_bias is None else self._item_bias(items)
        return self._with_user_bias(torch.addmm(bias, users.vectors, items.vectors.T), users)

    def _item_bias(self, items: OwnItems | SharedItems) -> Tensor:
        assert self.item_bias is not None
        return self._of_warm(self.item_bias, self.warm_items, items.idx)

    def _with_user_bias(self, scores: Tensor, users: UserSide) -> Tensor:
        if self.user_bias is None:
            return scores
        idx = users.batch.idx
        bias = self._of_warm(self.user_bias, self.warm_users, idx.clamp(min=0)) * (idx >= 0)
        return scores + bias.unsqueeze(-1)

    def _of_warm(self, biases: Tensor, warm: Tensor, idx: Tensor) -> Tensor:
        bias = take_rows(biases, idx)
        return bias if self.training and not self.trains_on_cold else bias * take_rows(warm, idx)
