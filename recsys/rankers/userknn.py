"""User-based nearest neighbours: items of the users with the most similar histories."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.rankers.base import Fittable
from recsys.rankers.histories import SCORES_AT_ONCE, HistoryRanker, multi_hot
from recsys.rankers.similarity import Similarity, largest
from recsys.rankers.sparse_rows import SparseRows
from recsys.schema import ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_whole


class UserKNNRanker(HistoryRanker, Fittable):
    """score(u, i) = Σ s_uv over those of the `n_neighbors` users v most similar to u who have i in the train part.

    Herlocker, Konstan, Borchers and Riedl, "An Algorithmic Framework for Performing Collaborative Filtering", SIGIR
    1999, for sets of items instead of ratings. s compares u's current history with the train histories of all others,
    so that new users are scored like all others. The normalisation of s by the length of u's history is the same for
    all v and omitted. Of equally similar users, those with the smallest index are neighbours first; indices are in the
    order of a hash of the raw ids.

    Args:
        context: Sizes of the data.
        n_neighbors: Number of most similar users; all if there are fewer.
        weighting: `cosine`, `tfidf` or `bm25`, see `Similarity`.
        shrinkage: Lowers the similarity of users who share few items, see `Similarity`.
        bm25_k1: k₁ of BM25, see `Similarity`.
        bm25_b: b of BM25, see `Similarity`.

    Raises:
        ConfigError: If a value is impossible.
    """

    reads_user = True
    column_weights: Tensor
    user_scales: Tensor

    def __init__(
        self,
        context: ModelContext,
        n_neighbors: int = 50,
        weighting: str = "cosine",
        shrinkage: float = 0.0,
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
    ) -> None:
        super().__init__(context.n_items)
        check_whole("ranker.n_neighbors", n_neighbors, 1)
        self.n_users, self.n_neighbors = context.n_users, min(n_neighbors, context.n_users)
        self.similarity = Similarity(weighting, shrinkage, bm25_k1, bm25_b)
        n_train = int(context.item_counts.sum())
        self.items_of_users = SparseRows(context.n_users, context.n_items, n_train)
        self.users_of_items = SparseRows(context.n_items, context.n_users, n_train)
        self.register_buffer("column_weights", torch.zeros(context.n_items))
        self.register_buffer("user_scales", torch.zeros(context.n_users))

    def fit(self, train: TrainInteractions) -> None:
        self.items_of_users.store(train.matrix)
        self.users_of_items.store(train.matrix.T.tocsr())
        self.column_weights.copy_(torch.from_numpy(self.similarity.column_weights(train.matrix) ** 2))
        self.user_scales.copy_(torch.from_numpy(self.similarity.row_scales(train.matrix)))

    def score_histories(self, users: UserBatch) -> Tensor:
        at_once = max(1, SCORES_AT_ONCE // self.n_users)
        return torch.cat([self._scores(batch) for batch in users.split(at_once)])

    def _scores(self, users: UserBatch) -> Tensor:
        similarities = self.similarities(users)
        is_neighbor = largest(similarities, self.n_neighbors) & (similarities > 0)
        return self.items_of_users.sums(is_neighbor.nonzero(), len(users.idx), similarities[is_neighbor])

    def similarities(self, users: UserBatch) -> Tensor:
        """(B, n_users) similarities of the users to those of the train part, and 0 to themselves."""
        known = multi_hot(users, self.n_items).nonzero()
        found = self.users_of_items.sums(known, len(users.idx), self.column_weights[known[:, 1]]) * self.user_scales
        if self.similarity.shrinkage > 0:
            shared = self.users_of_items.sums(known, len(users.idx))
            found *= shared / (shared + self.similarity.shrinkage)
        (rows,) = (users.idx >= 0).nonzero(as_tuple=True)
        found[rows, users.idx[rows]] = 0.0
        return found
