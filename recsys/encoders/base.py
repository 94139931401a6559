"""The contract of a text encoder: fitted on the train items' texts only, then texts in, vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsys.schema import ConfigError

if TYPE_CHECKING:
    from recsys.encoders.network import TextNetwork


class Encoder(ABC):
    """Turns item texts into vectors.

    A text's vector does not depend on the other texts that are encoded with it, nor on their order.
    """

    def fit(self, texts: Sequence[str], cache_dir: Path) -> None:  # noqa: B027 (most encoders learn nothing)
        """Learn from the texts of the train items; the default learns nothing.

        Args:
            texts: Of the train items.
            cache_dir: Where pretrained weights may be kept between processes.
        """

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dim), float32 and finite. An empty text has a defined vector too."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """All that the vectors depend on besides the texts: the cache's key, and the record's description.

        Names the weights that are really used (with their hash), pooling, lengths and precision, not batch sizes.
        Answers without loading weights. Has `"fitted": True` where `fit` matters, so that the train texts join the key.
        """

    def inputs(self, item_ids: Sequence[str | None], texts: Sequence[str]) -> Sequence[Any]:
        """What `fit`, `encode` and `coverage` are given for items: their texts, unless an encoder reads their ids."""
        return texts

    def keeps(self, item_ids: Sequence[str]) -> NDArray[np.bool_] | None:
        """(n_items,) False for items that leave the data, as the encoder has no vectors of them; None for no such."""
        return None

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        """The encoder's own report of how it read the texts, such as how many were truncated."""
        return {}

    def n_layers(self) -> int | None:
        """Number of the transformer's layers by its configuration; read without its weights."""
        return None

    def network(self, texts: Sequence[str]) -> TextNetwork:
        """The fitted encoder's own weights as a module over these texts, for training.

        It gives the vectors of `encode` with a gradient. Training changes the encoder, which is of no other use then.

        Raises:
            ConfigError: If it has no weights that gradients reach.
        """
        raise ConfigError(
            f"{type(self).__name__} has no layers to train. Use encoder=bert, gpt2 or transformer, or finetune=delta."
        )
