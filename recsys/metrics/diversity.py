"""Diversity of a list's items by their texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys.metrics.base import QueryMetric, TopKMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.ranked import RankedBatch


class Diversity(TopKMetric, QueryMetric):
    """Mean pairwise cosine distance of a list's items (Ziegler et al. 2005), by the protocol's TF-IDF vectors.

    The vectors are the same for all runs, whatever their encoder. NaN for lists of fewer than two items.
    """

    higher_is_better = True
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    needs_text = True

    def __init__(self, top_k: Sequence[int] | None, context: MetricContext) -> None:
        super().__init__(top_k, context)
        assert context.item_text_vectors is not None
        self.vectors = csr_matrix(context.item_text_vectors, dtype=np.float64)

    def measure(self, batch: RankedBatch, k: int | None) -> Tensor:
        """Values (B,)."""
        return torch.from_numpy(intra_list_distance(self.vectors, batch.top_items[:, :k].cpu().numpy()))


def intra_list_distance(vectors: csr_matrix, listed: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 - mean over pairs of xᵢ·xⱼ, for lists (B, K) of rows of `vectors`, where -1 is no item, (B,).

    The sum over pairs i ≠ j is ‖Σx‖² - Σ‖x‖², so no pair is computed.

    Example:
        >>> rows = csr_matrix(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
        >>> intra_list_distance(rows, np.array([[0, 1, 2]])).round(4).tolist()  # 1 - (0 + 0.6 + 0.8) / 3
        [0.5333]
    """
    present = listed >= 0
    sizes = present.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    chosen = csr_matrix((np.ones(offsets[-1]), listed[present], offsets), shape=(len(listed), vectors.shape[0]))
    sums = chosen @ vectors
    total = np.asarray(sums.multiply(sums).sum(axis=1)).ravel()
    own = chosen @ np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
    n_pairs = np.where(sizes < 2, np.nan, sizes * (sizes - 1))
    return 1 - (total - own) / n_pairs
