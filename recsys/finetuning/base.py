"""Text vectors of items that training may change, and the base class of fine-tuning modes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from recsys.encoders.base import Encoder
from recsys.layers.lookup import take_rows
from recsys.schema import ConfigError


class TextVectors(nn.Module):
    """Frozen text vectors by item. Subclasses add trained weights, and have the same vectors before training.

    Args:
        vectors: (n_items, text_dim) float32 from the encoder; text_dim is 0 for `encoder=none`.
    """

    vectors: Tensor
    costly: bool = False  # whether vectors are computed at each look-up, so that only needed ones should be

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)

    @property
    def n_items(self) -> int:
        return self.vectors.shape[0]

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def normalize(self, mean: Tensor, scale: Tensor) -> None:
        """Replace each vector by (vector − mean) · scale, with `mean` and `scale` (text_dim,)."""
        self.vectors = ((self.vectors - mean) * scale).float()

    def transform(self, mean: Tensor, matrix: Tensor) -> None:
        """Replace each vector by (vector[:n] − mean) · matrix, with `mean` (n,) and `matrix` (n, n), n ≤ text_dim."""
        self.vectors = ((self.vectors[:, : len(mean)] - mean) @ matrix).float()

    def forward(self, idx: Tensor) -> Tensor:
        """Vectors (n, text_dim) of the items `idx` (n,)."""
        return take_rows(self.vectors, idx)

    def catalogue(self) -> Tensor:
        """Vectors (n_items, text_dim) of all items."""
        return self.vectors

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The optimizer's parameter groups for parameters with settings of their own, such as the learning rate."""
        return []


@dataclass(frozen=True)
class EncodedItems:
    """The catalogue, encoded by the frozen encoder.

    Attributes:
        vectors: (n_items, text_dim) float32.
        warm: (n_items,) bool, whether an item has train interactions.
        trains_on_cold: See `ModelContext`.
        texts: Texts of all items.
        encoder: Returns the encoder, fitted on the train items' texts; called only if its weights are needed.
    """

    vectors: Tensor
    warm: Tensor
    trains_on_cold: bool
    texts: Sequence[str]
    encoder: Callable[[], Encoder]


class FineTuning(ABC):
    """A mode of fine-tuning: chooses the weights of an encoder that are trained with the rest of a run."""

    n_layers: int = 0  # minimum number of layers of the encoder

    @abstractmethod
    def text_vectors(self, items: EncodedItems) -> TextVectors:
        """Text vectors with trained weights, equal to those of `items` before training.

        Raises:
            ConfigError: If the encoder lacks the weights that the mode trains.
        """

    def adapt(self, model: Any) -> list[dict[str, Any]]:
        """Choose the parameters of a transformer that are trained, and freeze the others.

        Args:
            model: A model of the library transformers, such as a causal language model.

        Returns:
            The chosen parameters with their learning rates (`lr`), as groups of an optimizer.

        Raises:
            ConfigError: If the mode trains no layers, or the model lacks what it trains.
        """
        raise ConfigError(f"finetune={type(self).__name__.lower()} trains no layers of a language model: use lora.")
