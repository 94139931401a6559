"""Two towers: one perceptron for users, one for items, and the cosine of their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.embedding import WarmEmbedding
from recsys.rankers.base import Factorised, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ModelContext
from recsys.support.number_checks import check_number, check_whole, check_wholes


class TwoTowerRanker(Ranker, Factorised):
    """score(u, i) = cos(f(u), g(i)) / τ with perceptrons f and g, ReLU between their layers.

    Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019, equations 1
    and 8 (normalised towers and temperature); its loss is `loss=sampled_softmax negatives=in_batch`. The input of the
    user tower is the profile's vector and a learnt vector of the user's ID; that of the item tower is the item's text,
    its ID, or both. Scores are products of vectors, so a nearest-neighbour index can be used.

    Args:
        context: Sizes of the data.
        hidden_dims: Widths of both towers' hidden layers; none makes the towers linear.
        output_dim: Width of the towers' outputs.
        user_ids: Whether the user tower reads the user's ID too; it is zeros for users without train interactions.
        temperature: τ.
        dropout: Dropout rate after each hidden layer, in training.
        init_std: Standard deviation of the initial vectors of user IDs.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        hidden_dims: Sequence[int] = (128,),
        output_dim: int = 64,
        user_ids: bool = True,
        temperature: float = 0.1,
        dropout: float = 0.0,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        check_wholes("ranker.hidden_dims", hidden_dims, 1, "[128]", may_be_empty=True)
        check_whole("ranker.output_dim", output_dim, 1)
        check_number("ranker.temperature", temperature, above=0)
        check_number("ranker.dropout", dropout, at_least=0, below=1)
        check_number("ranker.init_std", init_std, at_least=0)
        widths = [*hidden_dims, output_dim]
        self.temperature, self.reads_user = temperature, user_ids
        ids = WarmEmbedding(context.warm_users, context.dim, init_std, context.trains_on_cold) if user_ids else None
        self.user_ids = ids
        self.user_tower = _tower([context.dim * (2 if user_ids else 1), *widths], dropout)
        self.item_tower = _tower([context.dim, *widths], dropout)

    def item_factors_of(self, items: SharedItems) -> Tensor:
        return self._items(items.vectors)

    def user_factors_of(self, users: UserSide) -> Tensor:
        vectors = users.vectors
        if self.user_ids is not None:
            idx = users.batch.idx
            known = self.user_ids(idx.clamp(min=0)) * (idx >= 0).unsqueeze(-1)
            vectors = torch.cat([vectors, known], dim=1)
        return functional.normalize(self.user_tower(vectors), dim=-1) / self.temperature

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        return items.map(self._items).products(self.user_factors_of(users))

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self.user_factors_of(users) @ self._items(items.vectors).T

    def _items(self, vectors: Tensor) -> Tensor:
        return functional.normalize(self.item_tower(vectors), dim=-1)


def _tower(widths: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])
