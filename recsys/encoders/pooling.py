"""Pooling of the states (B, L, dim) of texts' tokens, with mask (B, L), to vectors (B, dim)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean (B, dim) of the real tokens' states (B, L, dim), `mask` (B, L)."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)


def first(states: Tensor, mask: Tensor) -> Tensor:  # noqa: ARG001 (all poolings take the same arguments)
    """The first token's state: BERT's [CLS]."""
    return states[:, 0]


def last(states: Tensor, mask: Tensor) -> Tensor:
    """The last real token's state: in a decoder only this token attends to the whole text. Padding is at the right."""
    newest = (mask.sum(dim=1) - 1).clamp(min=0)
    return states[torch.arange(len(states), device=states.device), newest]


def largest(states: Tensor, mask: Tensor) -> Tensor:
    """The largest value of each dimension among the real tokens."""
    return states.masked_fill(~mask.bool().unsqueeze(-1), -torch.inf).amax(dim=1)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": mean, "cls": first, "last": last, "max": largest}
