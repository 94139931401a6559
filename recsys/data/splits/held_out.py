"""Holding out whole users or whole items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsys.data.splits.base import TEST_PART, VALIDATION_PART


def held_out_parts(
    idx: NDArray, hashes: NDArray[np.uint64], seed: int, test_share: float, validation_share: float
) -> NDArray[np.int8]:
    """The part (n,) of each user or item: a share of those that occur in `idx`, drawn by the seed and their `hashes` (n,)."""
    occurring = np.unique(idx)
    # Ordered by hash first, so that the draw does not depend on which index an id was given.
    occurring = occurring[np.argsort(hashes[occurring])]
    drawn = np.random.default_rng(seed).permutation(occurring)
    n_test, n_validation = round(len(drawn) * test_share), round(len(drawn) * validation_share)
    part = np.zeros(len(hashes), dtype=np.int8)
    part[drawn[:n_test]] = TEST_PART
    part[drawn[n_test : n_test + n_validation]] = VALIDATION_PART
    return part
