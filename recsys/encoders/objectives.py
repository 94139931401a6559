"""Pretraining objectives of language models: the next token (causal) or masked tokens (masked)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from recsys.language_models.lengths import padded

IGNORED = -100  # the label of a position where no token is predicted
MASKED_SHARE = 0.15  # masking probability of a token (Devlin et al., 2019)


class Inputs(NamedTuple):
    """A batch: `ids`, `mask` and `labels`, each (B, L); the label of a position is the token to be predicted there."""

    ids: Tensor
    mask: Tensor
    labels: Tensor


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Tokens of each text; for a causal model an end-of-text token is added."""
    if tokenizer.mask_token is not None:
        return list(tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"])
    tokens = tokenizer(list(texts), truncation=True, max_length=max_length - 1)["input_ids"]
    return [[*ids, tokenizer.eos_token_id] for ids in tokens]


def make_batches(tokens: Sequence[list[int]], batch_size: int, generator: Generator) -> list[list[list[int]]]:
    """Batches of texts of similar length, for little padding; the order of the batches is random."""
    noise = torch.rand(len(tokens), generator=generator).tolist()
    by_length = sorted(range(len(tokens)), key=lambda row: (len(tokens[row]), noise[row]))
    batches = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    order = torch.randperm(len(batches), generator=generator).tolist()
    return [[tokens[row] for row in batches[place]] for place in order]


def make_inputs(batch: Sequence[list[int]], tokenizer: Any, generator: Generator) -> Inputs:
    """The batch with its labels: masked if the tokenizer has a mask token, else causal."""
    ids, mask = padded(batch)
    if tokenizer.mask_token is not None:
        return _masked(ids, mask, tokenizer, generator)
    following = functional.pad(ids.masked_fill(mask == 0, IGNORED)[:, 1:], (0, 1), value=IGNORED)
    return Inputs(ids, mask, following)


def _masked(ids: Tensor, mask: Tensor, tokenizer: Any, generator: Generator) -> Inputs:
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids)) | (mask == 0)
    chosen = (torch.rand(ids.shape, generator=generator) < MASKED_SHARE) & ~special
    labels = ids.masked_fill(~chosen, IGNORED)
    fate = torch.rand(
        ids.shape, generator=generator
    )  # of ten chosen tokens, eight are masked, one is swapped, one stays
    swapped = torch.randint(len(tokenizer), ids.shape, generator=generator)
    ids = torch.where(chosen & (fate < 0.8), tokenizer.mask_token_id, ids)
    ids = torch.where(chosen & (fate >= 0.9), swapped, ids)
    return Inputs(ids, mask, labels)


def summed_loss(model: Any, head: str, inputs: Inputs) -> tuple[Tensor, int]:
    """The cross-entropy summed over all predicted tokens, and their number.

    Args:
        model: A language model of the library transformers.
        head: The name of its layer from states to logits; it is applied at predicted positions only.
        inputs: The batch.
    """
    states = model.base_model(input_ids=inputs.ids, attention_mask=inputs.mask).last_hidden_state
    chosen = inputs.labels != IGNORED
    logits = getattr(model, head)(states[chosen])
    return functional.cross_entropy(logits, inputs.labels[chosen], reduction="sum"), int(chosen.sum())
