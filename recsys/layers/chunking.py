"""A function of rows, applied to a few at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_parts(function: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """`function(rows)`, (n, …), computed for `size` rows at a time.

    Without gradients each part's result is copied to one tensor at once: many small results would fragment the memory
    that the large intermediates leave free.

    Example:
        >>> in_parts(lambda part: 2 * part, torch.tensor([1, 2, 3]), 2).tolist()
        [2, 4, 6]
    """
    parts = rows.split(size)
    first = function(parts[0])
    if len(parts) == 1:
        return first
    if torch.is_grad_enabled():
        return torch.cat([first, *map(function, parts[1:])])
    whole = first.new_empty(len(rows), *first.shape[1:])
    for part, place in zip(parts, whole.split(size), strict=True):
        place.copy_(first if part is parts[0] else function(part))
    return whole
