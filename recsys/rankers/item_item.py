"""Rankers with a sparse matrix of weights from items of the history to items of the catalogue."""

from __future__ import annotations

from abc import abstractmethod

from scipy.sparse import csr_matrix
from torch import Tensor

from recsys.rankers.base import Explainable, Fittable
from recsys.rankers.histories import HistoryRanker, multi_hot
from recsys.rankers.sparse_rows import SparseRows
from recsys.schema import TrainInteractions, UserBatch
from recsys.support.number_checks import check_whole


class ItemItemRanker(HistoryRanker, Fittable, Explainable):
    """score(u, i) = Σ w_ji over the items j of u's history.

    Args:
        n_items: The size of the catalogue.
        n_neighbors: Maximum number of weights per item, on average over items.

    Raises:
        ConfigError: If `n_neighbors` is not positive.
    """

    def __init__(self, n_items: int, n_neighbors: int) -> None:
        super().__init__(n_items)
        check_whole("ranker.n_neighbors", n_neighbors, 1)
        self.n_neighbors = min(n_neighbors, n_items)
        self.weights = SparseRows(n_items, n_items, n_items * self.n_neighbors)

    @abstractmethod
    def fitted_weights(self, train: TrainInteractions) -> csr_matrix:
        """The weights w (n_items, n_items), at most n_items · `n_neighbors` of them."""

    def fit(self, train: TrainInteractions) -> None:
        self.weights.store(self.fitted_weights(train))

    def item_weights(self, history: Tensor, items: Tensor) -> Tensor:
        return self.weights.entries(history.unsqueeze(2), items.unsqueeze(1))

    def score_histories(self, users: UserBatch) -> Tensor:
        return self.weights.sums(multi_hot(users, self.n_items).nonzero(), len(users.idx))
