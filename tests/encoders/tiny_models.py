"""Random BERT and GPT-2 of a few thousand weights, in folders as `save_pretrained` writes them."""

from __future__ import annotations

from pathlib import Path

import torch

SENTENCE = "a the of and red green blue old new war peace night day love film story man woman sea moon"
WORDS = SENTENCE.split()
TEXTS = [f"the {a} film of {b} and love" for a in WORDS[4:9] for b in WORDS[9:13]]


def bert_folder(folder: Path, **config) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: row for row, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = ["unk_token", "pad_token", "cls_token", "sep_token", "mask_token"]
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    sizes |= {"vocab_size": len(vocabulary), "max_position_embeddings": 32, "initializer_range": 0.5}
    roles = dict(zip(names, special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles).save_pretrained(folder)
    return _save(lambda: BertModel(BertConfig(**(sizes | config))), folder)


def gpt2_folder(folder: Path) -> Path:
    from transformers import GPT2Config, GPT2Model

    from recsys.encoders.tokenizers import gpt2_tokenizer

    tokenizer = gpt2_tokenizer(TEXTS, 320)
    tokenizer.save_pretrained(folder)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "initializer_range": 0.5}
    end = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return _save(lambda: GPT2Model(GPT2Config(vocab_size=len(tokenizer), **sizes, **end)), folder)


def _save(make, folder: Path) -> Path:
    from recsys.encoders.loading import quiet

    with quiet(), torch.random.fork_rng():
        torch.manual_seed(1)
        make().save_pretrained(folder)
    return folder
