"""Additive attention: shares of several vectors by a learnt query."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """The softmax of each row (B, L) over unmasked entries; zeros for rows without any.

    Example:
        >>> masked_softmax(torch.zeros(2, 3), torch.tensor([[True, True, False], [False] * 3])).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    logits = logits.masked_fill(~mask, -torch.inf)
    # A row of which nothing is left is all -inf, whose softmax is NaN: it is given zeros before and after.
    empty = ~mask.any(dim=1, keepdim=True)
    return torch.softmax(logits.masked_fill(empty, 0.0), dim=1).masked_fill(empty, 0.0)
