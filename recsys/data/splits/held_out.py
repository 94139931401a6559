"""Holding out all interactions of users or of items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.data.splits.split import TEST_PART, TRAIN_PART, VALIDATION_PART


def held_out_parts(
    idx: NDArray[Any], hashes: NDArray[np.uint64], test_share: float, validation_share: float
) -> NDArray[np.int8]:
    """(n,) the part of each user or item: shares of those that occur in `idx`, in the order of their `hashes` (n,).

    Example:
        >>> held_out_parts(np.array([0, 2, 2, 3]), np.array([30, 0, 20, 10], dtype=np.uint64), 1 / 3, 1 / 3)
        array([0, 0, 1, 2], dtype=int8)
    """
    occurring = np.flatnonzero(np.bincount(idx))
    drawn = occurring[np.argsort(hashes[occurring])]
    n_test, n_validation = round(len(drawn) * test_share), round(len(drawn) * validation_share)
    part = np.full(len(hashes), TRAIN_PART, dtype=np.int8)
    part[drawn[:n_test]] = TEST_PART
    part[drawn[n_test : n_test + n_validation]] = VALIDATION_PART
    return part
