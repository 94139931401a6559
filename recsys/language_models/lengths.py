"""Batches of texts of similar length, for little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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


def of_one_length(batches: Sequence[NDArray[np.int64]], lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The batches, divided so that all texts of a batch have the same length: they need no padding.

    Example:
        >>> [rows.tolist() for rows in of_one_length([np.array([1, 2, 0])], np.array([2, 9, 2]))]
        [[2, 0], [1]]
    """
    return [batch[lengths[batch] == length] for batch in batches for length in np.unique(lengths[batch])]


def attention_window(model: Any) -> float:
    """How many tokens back the layers of a transformers model look, at least; infinity where all see everything.

    Padding between tokens counts as tokens there, also where it is masked.
    """
    config = model.config.get_text_config()
    windows = (getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size"))
    return min((window for window in windows if window is not None), default=float("inf"))


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
