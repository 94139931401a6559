"""Low-rank adapters: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from recsys.encoders.network import TextNetwork
from recsys.finetuning.encoder import EncoderFineTuning, freeze
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

ADAPTER = "lora_"  # in the names of peft's weights


class Lora(EncoderFineTuning):
    """Products of two low-rank matrices are trained and added to frozen weight matrices, with the library peft.

    Args:
        learning_rate: Learning rate of the adapters; usually higher than for whole layers.
        rank: Rank of the product.
        alpha: The product is scaled by alpha / rank.
        dropout: Dropout rate before the adapters, in training.
        target_modules: Names, or their ends, of the matrices that have adapters; None for peft's default.
        options: Further arguments of `EncoderFineTuning`.

    Raises:
        ConfigError: If peft is not installed, or a value is impossible.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        rank: int = 8,
        alpha: float = 16.0,
        dropout: float = 0.0,
        target_modules: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        if find_spec("peft") is None:
            raise ConfigError("finetune=lora needs the package peft: pip install 'recsys-experiments[peft]'.")
        check_whole("finetune.rank", rank, 1)
        check_number("finetune.dropout", dropout, at_least=0, below=1)
        self.rank, self.alpha, self.dropout = rank, alpha, dropout
        self.target_modules = None if target_modules is None else list(target_modules)

    def choose(self, network: TextNetwork) -> TextNetwork:
        chosen = self.chosen(network.model)
        freeze(network.model, {name for name, _ in network.model.named_parameters()} - chosen)
        return network

    def chosen(self, model: Any) -> set[str]:
        from peft import LoraConfig, inject_adapter_in_model

        settings: dict[str, Any] = {"r": self.rank, "lora_alpha": self.alpha, "lora_dropout": self.dropout}
        settings["fan_in_fan_out"] = model.config.model_type == "gpt2"  # its matrices are stored transposed
        try:
            inject_adapter_in_model(LoraConfig(target_modules=self.target_modules, **settings), model)
        except ValueError as error:
            raise ConfigError(f"finetune.target_modules: {error}") from error
        return {name for name, _ in model.named_parameters() if ADAPTER in name}
