"""GPT-2: a decoder, which reads a text from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from recsys.encoders.learner import CATALOGUE
from recsys.encoders.transformer import TransformerEncoder


class GPT2Encoder(TransformerEncoder):
    """Vectors of a GPT-2 (Radford et al., 2019), by default a small one pretrained on the train items' texts.

    Args:
        weights: See `TransformerEncoder`; "openai-community/gpt2" is the published one.
        pooling: "mean" over tokens, "last" for the last one, or "max". A decoder's first token attends to no other.
        normalize: Whether vectors are scaled to length 1.
        options: Further arguments of `TransformerEncoder`.
    """

    architecture: ClassVar[str] = "gpt2"
    decoder: ClassVar[bool] = True
    head: ClassVar[str] = "lm_head"
    poolings: ClassVar[tuple[str, ...]] = ("mean", "last", "max")

    def __init__(
        self, weights: str = CATALOGUE, pooling: str = "mean", normalize: bool = False, **options: Any
    ) -> None:
        super().__init__(weights, pooling, normalize=normalize, **options)

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        from transformers import GPT2Config, GPT2LMHeadModel

        from recsys.encoders.tokenizers import gpt2_tokenizer

        tokenizer = gpt2_tokenizer(texts, self.sizes.vocabulary_size)
        config = GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=self.max_length,
            n_embd=self.sizes.hidden_dim,
            n_layer=self.sizes.n_layers,
            n_head=self.sizes.n_heads,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        return tokenizer, GPT2LMHeadModel(config)
