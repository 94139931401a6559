"""The data that metrics use: the catalogue and its train counts."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.sparse import csr_matrix
from torch import Tensor


@dataclass(frozen=True)
class MetricContext:
    """The data that metrics use; the same for all runs of a protocol.

    Attributes:
        n_items: Size of the catalogue.
        item_counts: (n_items,) train interactions of each item.
        n_train_users: Users with a train interaction.
        warm_items: (n_items,) bool, whether an item has a train interaction.
        item_text_vectors: (n_items, n_terms) TF-IDF of the items' texts, rows of length 1 (0 for an empty text);
            None if the data has no texts; metrics that need them are then not reported.
    """

    n_items: int
    item_counts: Tensor
    n_train_users: int
    warm_items: Tensor
    item_text_vectors: csr_matrix | None = None
