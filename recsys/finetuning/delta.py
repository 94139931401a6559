"""A learnt offset for each item, added to its frozen text vector."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from recsys.finetuning.base import EncodedItems, FineTuning, TextVectors
from recsys.layers.embedding import WarmEmbedding
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number


class Delta(FineTuning):
    """Frozen vectors plus an offset, initially 0, for items with train interactions; cold items have no offset.

    The projection after it is the same for warm and cold items.

    Args:
        learning_rate: Learning rate of the offsets; the optimizer's weight decay keeps them small.

    Raises:
        ConfigError: If the learning rate is not positive.
    """

    def __init__(self, learning_rate: float = 1e-3) -> None:
        check_number("finetune.learning_rate", learning_rate, above=0)
        self.learning_rate = learning_rate

    def text_vectors(self, items: EncodedItems) -> TextVectors:
        if items.vectors.shape[1] == 0:
            raise ConfigError("finetune=delta has no text vectors to start from: use features=hybrid for learnt IDs.")
        return OffsetVectors(items, self.learning_rate)


class OffsetVectors(TextVectors):
    """Normalized frozen vectors plus offsets.

    Args:
        items: The catalogue.
        learning_rate: Learning rate of the offsets.
    """

    def __init__(self, items: EncodedItems, learning_rate: float) -> None:
        super().__init__(items.vectors)
        self.learning_rate = learning_rate
        self.offsets = WarmEmbedding(items.warm, self.dim, 0.0, items.trains_on_cold)

    def transform(self, mean: Tensor, matrix: Tensor) -> None:
        super().transform(mean, matrix)
        if len(mean) < self.offsets.embedding_dim:
            self.offsets.embedding_dim = len(mean)
            self.offsets.weight = nn.Parameter(self.offsets.weight.detach()[:, : len(mean)].clone())

    def forward(self, idx: Tensor) -> Tensor:
        return super().forward(idx) + self.offsets(idx)

    def catalogue(self) -> Tensor:
        return self.vectors + self.offsets.table()

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.offsets.weight], "lr": self.learning_rate}]
