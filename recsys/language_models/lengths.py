"""Batches of texts of similar length, for little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def length_batches(lengths: NDArray[np.int64], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Rows of texts of similar length, the longest first, with at most `batch_tokens` tokens.

    Example:
        >>> [rows.tolist() for rows in length_batches(np.array([2, 9, 3]), batch_tokens=6)]
        [[1], [2, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        end = start + max(1, batch_tokens // int(lengths[order[start]]))
        batches.append(order[start:end])
        start = end
    return batches


def padded(tokens: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids (B, L) and their mask (B, L).

    Padding is at the right and masked, so its id has no influence, and a decoder's positions begin at 0.

    Example:
        >>> ids, mask = padded([[7, 8, 9], [5]])
        >>> ids.tolist(), mask.tolist()
        ([[7, 8, 9], [5, 0, 0]], [[1, 1, 1], [1, 0, 0]])
    """
    import torch

    length = max(map(len, tokens))
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in tokens])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in tokens])
    return ids, mask
