"""The masked softmax of additive attention."""

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
    # The softmax of a row that is masked throughout would be NaN: it is set to zeros before and after.
    empty = ~mask.any(dim=1, keepdim=True)
    return torch.softmax(logits.masked_fill(empty, 0.0), dim=1).masked_fill(empty, 0.0)
