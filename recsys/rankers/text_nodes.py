"""First vectors of the nodes of a user-item graph, by the items' texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from recsys.layers.post_processing import NORMALIZATIONS, PostProcessing, Transformable, normalize
from recsys.schema import ConfigError, ModelContext
from recsys.support.number_checks import check_whole

USERS = IDS, MEAN = "ids", "mean"


class ItemTextVectors(Transformable, Protocol):
    """The encoder's vectors of all items."""

    @property
    def dim(self) -> int:
        """Their width; 0 without a text encoder."""

    def catalogue(self) -> Tensor:
        """Vectors (n_items, dim) of all items."""


@dataclass(frozen=True)
class TextNodes:
    """How a text encoder takes part in a graph.

    Attributes:
        item_ids: Whether items have a learnt ID beside their mapped text.
        users: `ids`: a learnt vector for each user; `mean`: the map of the mean text vector of the user's train items.
        hidden_dim: Width of a hidden layer of the map; None for a linear map.
        normalize: Of the text vectors by the train items' statistics: `none`, `center` or `standardize`.
        vectors: Post-processing of the text vectors after that.

    Raises:
        ConfigError: If a value is impossible.
    """

    item_ids: bool = True
    users: str = IDS
    hidden_dim: int | None = None
    normalize: str = "center"
    vectors: PostProcessing = field(default_factory=PostProcessing)

    def __post_init__(self) -> None:
        for key, value, known in (("users", self.users, USERS), ("normalize", self.normalize, NORMALIZATIONS)):
            if value not in known:
                raise ConfigError(f"ranker.text.{key} is {value!r}; expected one of {', '.join(known)}.")
        check_whole("ranker.text.hidden_dim", self.hidden_dim, 1, optional=True)

    def check(self, has_text: bool) -> None:
        """Raise an error for settings that need texts where there are none.

        Raises:
            ConfigError: If so.
        """
        if not has_text and (self.users == MEAN or not self.item_ids):
            raise ConfigError(
                f"ranker.text.users={self.users} ranker.text.item_ids={str(self.item_ids).lower()} needs a text "
                "encoder, as in encoder=bert; with encoder=none, users and items have learnt IDs."
            )

    def prepare(self, vectors: ItemTextVectors, context: ModelContext) -> None:
        """Normalise the text vectors by the train items' statistics."""
        if context.texts is not None:  # not so in a rehearsal, on toy vectors
            self.vectors.check_width(vectors.dim)
        normalize(vectors, context.warm_items, self.normalize, self.vectors)

    def map(self, text_dim: int, dim: int) -> nn.Module:
        """The learnt map of text vectors to those of the graph."""
        if self.hidden_dim is None:
            return nn.Linear(text_dim, dim)
        return nn.Sequential(nn.Linear(text_dim, self.hidden_dim), nn.LeakyReLU(), nn.Linear(self.hidden_dim, dim))
