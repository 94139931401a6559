"""The dot product of user and item vectors: the cheapest ranker, which nearest-neighbour indexes can serve."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from recsys.rankers.base import Factorised, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ModelContext
from recsys.support.number_checks import check_number


class DotRanker(Ranker, Factorised):
    """score(u, i) = u·i / temperature, or the cosine of u and i instead of the product.

    Args:
        context: Sizes of the data.
        cosine: Whether both vectors are scaled to length 1 first.
        temperature: Divides the score; below 1 it sharpens a softmax over items. Ranks do not depend on it.

    Raises:
        ConfigError: If `temperature` is not positive.
    """

    def __init__(self, context: ModelContext, cosine: bool = False, temperature: float = 1.0) -> None:
        super().__init__()
        check_number("ranker.temperature", temperature, above=0)
        self.cosine = cosine
        self.temperature = temperature
        self.is_linear = not cosine

    def item_factors_of(self, items: SharedItems) -> Tensor:
        return self._scaled(items.vectors)

    def user_factors_of(self, users: UserSide) -> Tensor:
        return self._scaled(users.vectors) / self.temperature

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        return items.map(self._scaled).products(self.user_factors_of(users))

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self.user_factors_of(users) @ self.item_factors_of(items).T

    def _scaled(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors, dim=-1) if self.cosine else vectors
