"""Item-based nearest neighbours: what is most like the items of a user's history, by who did both or by text."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.rankers.histories import HistoryRanker, multi_hot
from recsys.rankers.similarity import Similarity, cosine_blocks, nearest
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch

ENTRIES_AT_ONCE = 8_000_000  # neighbours that are added up at once


class ItemKNNRanker(HistoryRanker):
    """score(u, i) = Σ s_ji over the items j of u's history that have i among their `n_neighbors` most similar items.

    Deshpande and Karypis, "Item-Based Top-N Recommendation Algorithms", ACM TOIS 2004. s is the similarity of the sets
    of users of both items in the train part. With a text encoder it is the cosine of both texts' vectors, so that items
    without a train interaction are recommended too (content-based filtering); weighting and shrinkage then do nothing.

    Args:
        context: Sizes of the data.
        n_neighbors: Most similar items that are kept of each item; all where the catalogue has no more.
        weighting: `cosine`, `tfidf` or `bm25`: see `Similarity`, as for what follows.
        shrinkage: Lessens the similarity of items that share few users.
        bm25_k1: Of BM25.
        bm25_b: Of BM25.

    Raises:
        ConfigError: If a value is impossible.
    """

    neighbors: Tensor
    similarities: Tensor

    def __init__(
        self,
        context: ModelContext,
        n_neighbors: int = 100,
        weighting: str = "cosine",
        shrinkage: float = 0.0,
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
    ) -> None:
        super().__init__(context.n_items)
        if n_neighbors < 1:
            raise ConfigError(f"ranker.n_neighbors is {n_neighbors}; expected 1 or more.")
        self.similarity = Similarity(weighting, shrinkage, bm25_k1, bm25_b)
        size = context.n_items, min(n_neighbors, context.n_items)
        self.register_buffer("neighbors", torch.zeros(size, dtype=torch.int32))
        self.register_buffer("similarities", torch.zeros(size))

    def solve(self, train: TrainInteractions) -> None:
        users_of_items = train.matrix.T.tocsr()
        blocks = cosine_blocks(train.text_vectors) if train.has_text else self.similarity.blocks(users_of_items)
        self.neighbors, self.similarities = nearest(blocks, self.neighbors.shape[1])

    def item_weights(self, history: Tensor, items: Tensor) -> Tensor:
        near, similar = self.neighbors[history], self.similarities[history]  # (B, L, n_neighbors)
        wanted = items.view(*items.shape, 1, 1).unbind(1)
        return torch.stack([(similar * (near == item)).sum(dim=2) for item in wanted], dim=2)

    def score_histories(self, users: UserBatch) -> Tensor:
        known = multi_hot(users, self.n_items).nonzero()
        scores = self.similarities.new_zeros(len(users.idx) * self.n_items)
        for part in known.split(max(1, ENTRIES_AT_ONCE // self.neighbors.shape[1])):
            rows, items = part.T
            places = rows.unsqueeze(1) * self.n_items + self.neighbors[items]
            scores.index_add_(0, places.flatten(), self.similarities[items].flatten())
        return scores.view(-1, self.n_items)
