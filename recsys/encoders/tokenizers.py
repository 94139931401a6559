"""Tokenizers learnt from the catalogue's texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
BERT_TOKENS = {
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def gpt2_tokenizer(texts: Sequence[str], vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Byte-pair merges over bytes, so that no text is unknown (Radford et al., 2019)."""
    return _byte_level_bpe(texts, vocabulary_size, {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT})


def bert_tokenizer(texts: Sequence[str], vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Lower-cased, between [CLS] and [SEP] as in BERT, but with byte-level BPE as in RoBERTa (Liu et al., 2019).

    The training of BERT's WordPiece is not reproducible: it numbers the pieces in a random order.
    """
    from tokenizers import normalizers, processors

    tokenizer = _byte_level_bpe(texts, vocabulary_size, BERT_TOKENS, normalizers.Lowercase())
    ends = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("[CLS]", "[SEP]")]
    template = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.backend_tokenizer.post_processor = template
    return tokenizer


def _byte_level_bpe(
    texts: Sequence[str], vocabulary_size: int, special: dict[str, str], normalizer: Normalizer | None = None
) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(dict.fromkeys(special.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
