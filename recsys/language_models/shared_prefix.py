"""Prompts of one template begin with the same tokens, which a batch reads once."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from recsys.language_models.lengths import attention_window

MIN_LENGTH = 8  # shorter common beginnings are read with the rest


def shared_length(encoded: Sequence[Sequence[int]]) -> int:
    """The number of tokens with which all prompts begin; each prompt has at least one further token.

    Example:
        >>> shared_length([[5, 6, 7, 1], [5, 6, 7, 2, 3]]), shared_length([[5, 6], [5, 6, 7]])
        (3, 1)
    """
    longest = min(map(len, encoded)) - 1
    return next((place for place, tokens in enumerate(zip(*encoded, strict=False)) if len(set(tokens)) > 1), longest)


@torch.inference_mode()
def shared_cache(model: Any, encoded: Sequence[Sequence[int]], n_tokens: int) -> tuple[int, Any]:
    """Keys and values of the common beginning of all prompts, one copy for each.

    Args:
        model: A causal language model of transformers.
        encoded: (n) tokens of prompts.
        n_tokens: Of an answer, at most.

    Returns:
        The number of tokens that the cache contains, and the cache: 0 and None for a single prompt, for a common
        beginning of fewer than `MIN_LENGTH` tokens, for models without attention in every layer, and for those whose
        attention window is shorter than a prompt and its answer.
    """
    from transformers import DynamicCache

    length = shared_length(encoded)
    longest = max(map(len, encoded)) + n_tokens
    too_long = longest > attention_window(model)
    if len(encoded) == 1 or length < MIN_LENGTH or too_long or not has_attention_throughout(model):
        return 0, None
    # Not a cache of the model's own kind, which may drop early tokens.
    cache = DynamicCache()
    ids = torch.tensor([list(encoded[0][:length])], device=model.device)
    model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids), **cache_arguments(model, cache))
    cache.batch_repeat_interleave(len(encoded))
    return length, cache


def has_attention_throughout(model: Any) -> bool:
    """Whether every layer keeps keys and values of each token, which several continuations can share."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    layers = DynamicCache(config=model.config.get_text_config()).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def cache_arguments(model: Any, cache: Any) -> dict[str, Any]:
    """Arguments by which a model reads from a cache and writes to it; transformers has two names for it."""
    name = "cache" if "cache" in signature(model.forward).parameters else "past_key_values"
    return {name: cache, "use_cache": True}


def left_padded(tokens: Sequence[Sequence[int]], shared: int = 0) -> tuple[Tensor, Tensor]:
    """Ids (B, L) and their mask (B, L), padded between the `shared` first tokens and the others, so that all rows end
    together.

    Example:
        >>> ids, mask = left_padded([[7, 8, 9], [5]])
        >>> ids.tolist(), mask.tolist()
        ([[7, 8, 9], [0, 0, 5]], [[1, 1, 1], [0, 0, 1]])
        >>> left_padded([[7, 8, 9], [7, 5]], shared=1)[0].tolist()
        [[7, 8, 9], [7, 0, 5]]
    """
    length = max(map(len, tokens))
    gaps = [length - len(row) for row in tokens]
    ids = [[*row[:shared], *[0] * gap, *row[shared:]] for row, gap in zip(tokens, gaps, strict=True)]
    mask = [[1] * shared + [0] * gap + [1] * (length - gap - shared) for gap in gaps]
    return torch.tensor(ids), torch.tensor(mask)
