"""Initial vectors of the nodes of a user-item graph from the items' texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn

from recsys.layers.post_processing import NORMALIZATIONS, PostProcessing, Transformable, normalize, settings_of
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
    """How text vectors are used in a graph.

    Attributes:
        item_ids: Whether items have a learnt ID vector in addition to their mapped text.
        users: `ids`: a learnt vector for each user; `mean`: the map of the mean text vector of the user's train items.
        hidden_dim: Width of a hidden layer of the map; None for a linear map.
        normalize: Normalisation of the text vectors by the train items' statistics: `none`, `center`, `standardize`.
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
        """Check that there is a text encoder if the settings need one.

        Raises:
            ConfigError: If there is none.
        """
        if not has_text and (self.users == MEAN or not self.item_ids):
            raise ConfigError(
                f"ranker.text.users={self.users} with ranker.text.item_ids={str(self.item_ids).lower()} needs a text "
                f"encoder, such as encoder=bert; encoder=none needs ranker.text.users={IDS} and item_ids=true."
            )

    def prepare(self, vectors: ItemTextVectors, context: ModelContext) -> None:
        """Normalise the text vectors by the train items' statistics."""
        with settings_of("ranker.text"):
            if context.texts is not None:  # it is None in the check of a configuration on toy vectors
                self.vectors.check_width(vectors.dim)
            normalize(vectors, context.warm_items, self.normalize, self.vectors)

    def map(self, text_dim: int, dim: int) -> nn.Module:
        """The learnt map from text vectors (*, text_dim) to graph vectors (*, dim)."""
        if self.hidden_dim is None:
            return nn.Linear(text_dim, dim)
        return nn.Sequential(nn.Linear(text_dim, self.hidden_dim), nn.LeakyReLU(), nn.Linear(self.hidden_dim, dim))
