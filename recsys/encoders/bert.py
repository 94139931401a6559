"""BERT and similar models: bidirectional encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from recsys.encoders.transformer import TransformerEncoder
from recsys.language_models.weights import MINILM


class BertEncoder(TransformerEncoder):
    """Vectors of a BERT (Devlin et al., NAACL 2019), by default the sentence encoder MiniLM (Wang et al., 2020).

    Args:
        weights: See `TransformerEncoder`.
        pooling: "mean" over tokens, "cls" for the first one, or "max".
        options: Further arguments of `TransformerEncoder`.
    """

    architecture: ClassVar[str] = "bert"
    decoder: ClassVar[bool] = False
    head: ClassVar[str] = "cls"
    poolings: ClassVar[tuple[str, ...]] = ("mean", "cls", "max")

    def __init__(self, weights: str = MINILM, pooling: str = "mean", **options: Any) -> None:
        pretraining = {"epochs": 10, **(options.pop("pretraining", None) or {})}  # only one token in seven is predicted
        super().__init__(weights, pooling, pretraining=pretraining, **options)

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        from transformers import BertConfig, BertForMaskedLM

        from recsys.encoders.tokenizers import bert_tokenizer

        tokenizer = bert_tokenizer(texts, self.sizes.vocabulary_size)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.sizes.hidden_dim,
            num_hidden_layers=self.sizes.n_layers,
            num_attention_heads=self.sizes.n_heads,
            intermediate_size=4 * self.sizes.hidden_dim,
            max_position_embeddings=self.max_length,
        )
        return tokenizer, BertForMaskedLM(config)
