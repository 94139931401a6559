"""Only biases are trained.

Ben Zaken, Ravfogel and Goldberg, "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
Language-models", ACL 2022.
"""

from __future__ import annotations

from typing import Any

from recsys.encoders.network import TextNetwork
from recsys.finetuning.encoder import EncoderFineTuning, freeze
from recsys.schema import ConfigError


class BitFit(EncoderFineTuning):
    """The biases of the transformer are trained, about a thousandth of its weights.

    Args:
        learning_rate: Learning rate of the biases; usually higher than for whole layers.
        options: Further arguments of `EncoderFineTuning`.

    Raises:
        ConfigError: If a value is invalid, or (by `text_vectors`) the transformer has no biases.
    """

    def __init__(self, learning_rate: float = 1e-3, **options: Any) -> None:
        super().__init__(learning_rate, **options)

    def choose(self, network: TextNetwork) -> TextNetwork:
        chosen = self.chosen(network.model)
        freeze(network.model, {name for name, _ in network.model.named_parameters()} - chosen)
        return network

    def chosen(self, model: Any) -> set[str]:
        biases = {name for name, _ in model.named_parameters() if name.endswith("bias")}
        if not biases:
            raise ConfigError(
                f"finetune=bitfit trains biases, and {type(model).__name__} has none. Use finetune=lora or last_n."
            )
        return biases
