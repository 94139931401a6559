"""Random BERT and GPT-2 of a few thousand weights, in folders as `save_pretrained` writes them."""

from __future__ import annotations

from pathlib import Path

import torch

from recsys.testing.encoder_contract import TEXTS, WORDS

BERT_SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
BERT_SIZES |= {"vocab_size": 5 + len(WORDS), "max_position_embeddings": 32, "initializer_range": 0.5}


def bert_folder(folder: Path, **config) -> Path:
    from transformers import BertConfig, BertModel

    word_tokenizer(folder)
    return _save(lambda: BertModel(BertConfig(**(BERT_SIZES | config))), folder)


def word_tokenizer(folder: Path) -> None:
    """A tokenizer that knows `WORDS`, with BERT's special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: row for row, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = ["unk_token", "pad_token", "cls_token", "sep_token", "mask_token"]
    roles = dict(zip(names, special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles).save_pretrained(folder)


def gpt2_folder(folder: Path, **config) -> Path:
    from transformers import GPT2Config, GPT2Model

    from recsys.encoders.tokenizers import gpt2_tokenizer

    tokenizer = gpt2_tokenizer(TEXTS, 320)
    tokenizer.save_pretrained(folder)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "initializer_range": 0.5}
    end = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return _save(lambda: GPT2Model(GPT2Config(vocab_size=len(tokenizer), **sizes, **end, **config)), folder)


def auto_folder(model_type: str):
    """Makes the folder of a tiny model of an architecture, by its `model_type`."""

    def make(folder: Path) -> Path:
        from transformers import AutoConfig, AutoModel

        word_tokenizer(folder)
        special = {"pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
        sizes = dict(BERT_SIZES, num_key_value_heads=1) if model_type == "llama" else dict(BERT_SIZES)
        if model_type == "distilbert":
            sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "initializer_range": 0.5}
            sizes |= {"vocab_size": BERT_SIZES["vocab_size"], "max_position_embeddings": 32}
        return _save(lambda: AutoModel.from_config(AutoConfig.for_model(model_type, **sizes, **special)), folder)

    return make


def causal_folder(model_type: str, folder: Path, **further: float) -> Path:
    """A tiny language model that predicts tokens, and reads 512 of them; `further` settings of its config."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from recsys.encoders.tokenizers import gpt2_tokenizer

    tokenizer = gpt2_tokenizer(TEXTS, 320)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    if model_type == "gpt2":
        sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 512}
    sizes |= {"vocab_size": len(tokenizer), "max_position_embeddings": 512, "initializer_range": 0.5, **further}
    config = AutoConfig.for_model(model_type, **sizes, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    return _save(lambda: AutoModelForCausalLM.from_config(config), folder)


def _save(make, folder: Path) -> Path:
    from recsys.language_models.loading import quiet

    with quiet(), torch.random.fork_rng():
        torch.manual_seed(1)
        make().save_pretrained(folder)
    return folder
