"""The interface of text encoders, which are fitted on the train items' texts only."""

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
        """Fit the encoder; the default does nothing.

        Args:
            texts: Texts of the train items.
            cache_dir: Folder for pretrained weights that are shared by processes.
        """

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dim), float32 and finite. An empty text has a defined vector too."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Everything that the vectors depend on besides the texts; it is the key of the cache and is in the record.

        It has the weights and their hash, pooling, lengths and precision, not batch sizes. It must not load weights. It
        has `"fitted": True` if the vectors depend on `fit`; then the train texts are part of the key, too.
        """

    def inputs(self, item_ids: Sequence[str | None], texts: Sequence[str]) -> Sequence[Any]:
        """The arguments of `fit`, `encode` and `coverage` for items: their texts, unless an encoder reads their ids."""
        return texts

    def keeps(self, item_ids: Sequence[str]) -> NDArray[np.bool_] | None:
        """(n_items,) bool, False for items that are removed from the data, since they have no vector; None for none."""
        return None

    def coverage(self, texts: Sequence[str]) -> dict[str, Any]:
        """The encoder's own report of how it read the texts, such as how many were truncated."""
        return {}

    def n_layers(self) -> int | None:
        """Number of the transformer's layers by its configuration; read without its weights."""
        return None

    def network(self, texts: Sequence[str]) -> TextNetwork:
        """The fitted encoder's weights as a module over these texts, for training.

        Its outputs are the vectors of `encode`, with a gradient. Training changes the encoder's weights.

        Raises:
            ConfigError: If the encoder has no trainable layers.
        """
        raise ConfigError(
            f"{type(self).__name__} has no layers to train. Use encoder=bert, gpt2 or transformer, or finetune=delta."
        )
