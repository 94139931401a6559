"""The last layers of a transformer are trained; their inputs are computed once."""

from __future__ import annotations

from typing import Any

from recsys.encoders.network import TextNetwork, find_blocks
from recsys.encoders.upper_layers import UpperLayers
from recsys.finetuning.encoder import EncoderFineTuning, freeze
from recsys.schema import ConfigError
from recsys.support.number_checks import check_whole


class LastN(EncoderFineTuning):
    """The last `n_layers` layers are trained; embeddings, lower layers and a norm after the last layer are frozen.

    Args:
        n_layers: Number of trained layers.
        options: Further arguments of `EncoderFineTuning`.

    Raises:
        ConfigError: If `n_layers` is not positive, or more than the encoder has.
    """

    def __init__(self, n_layers: int = 1, **options: Any) -> None:
        super().__init__(**options)
        check_whole("finetune.n_layers", n_layers, 1)
        self.n_layers = n_layers

    def choose(self, network: TextNetwork) -> TextNetwork:
        upper = UpperLayers(network, self.n_layers)
        stack, _ = upper.blocks()
        names = {name for name, _ in upper.model.named_parameters()}
        freeze(upper.model, {name for name in names if not name.startswith(f"{stack}.")})
        return upper

    def chosen(self, model: Any) -> set[str]:
        stack, blocks = find_blocks(model)
        if self.n_layers > len(blocks):
            raise ConfigError(f"finetune.n_layers is {self.n_layers}, but the language model has {len(blocks)} layers.")
        last = tuple(f"{stack}.{number}." for number in range(len(blocks) - self.n_layers, len(blocks)))
        return {name for name, _ in model.named_parameters() if name.startswith(last)}
