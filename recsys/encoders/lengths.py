"""Texts of about one length together, so that little is padded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def length_batches(lengths: NDArray[np.int64], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Rows of texts of about one length, the longest first, as many as `batch_tokens` holds.

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
