"""GPT-2: a decoder, which reads a text from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from recsys.encoders.transformer import CATALOGUE, TransformerEncoder


class GPT2Encoder(TransformerEncoder):
    """Vectors of a GPT-2 (Radford et al., 2019), by default a small one pretrained on the train items' texts.

    Args:
        weights: See `TransformerEncoder`; "openai-community/gpt2" is the published one.
        pooling: "mean" over tokens, "last" for the last one, or "max". The first token of a decoder has seen nothing.
        options: Further arguments of `TransformerEncoder`.
    """

    architecture: ClassVar[str] = "gpt2"
    poolings: ClassVar[tuple[str, ...]] = ("mean", "last", "max")

    def __init__(self, weights: str = CATALOGUE, pooling: str = "mean", **options: Any) -> None:
        super().__init__(weights, pooling, **options)

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        from transformers import GPT2Config, GPT2LMHeadModel

        from recsys.encoders.tokenizers import byte_level_bpe

        tokenizer = byte_level_bpe(texts, self.sizes["vocabulary_size"])
        config = GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=max(self.max_length, self.pretraining.max_length),
            n_embd=self.sizes["hidden_dim"],
            n_layer=self.sizes["n_layers"],
            n_head=self.sizes["n_heads"],
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        return tokenizer, GPT2LMHeadModel(config)
