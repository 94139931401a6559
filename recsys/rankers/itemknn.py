"""Item-based nearest neighbours: the items most similar to those of a user's history, by co-occurrence or by text."""

from __future__ import annotations

from scipy.sparse import csr_matrix

from recsys.rankers.item_item import ItemItemRanker
from recsys.rankers.similarity import Similarity, cosine_blocks, nearest, neighbors_matrix
from recsys.schema import ModelContext, TrainInteractions


class ItemKNNRanker(ItemItemRanker):
    """score(u, i) = Σ s_ji over the items j of u's history that have i among their `n_neighbors` most similar items.

    Deshpande and Karypis, "Item-Based Top-N Recommendation Algorithms", ACM TOIS 2004. s is the similarity of the sets
    of users of both items in the train part. With a text encoder it is the cosine of both texts' vectors, so that items
    without a train interaction are recommended too (content-based filtering); weighting and shrinkage have no effect.

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

    def __init__(
        self,
        context: ModelContext,
        n_neighbors: int = 100,
        weighting: str = "cosine",
        shrinkage: float = 0.0,
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
    ) -> None:
        super().__init__(context.n_items, n_neighbors)
        self.similarity = Similarity(weighting, shrinkage, bm25_k1, bm25_b)

    def fitted_weights(self, train: TrainInteractions) -> csr_matrix:
        users_of_items = train.matrix.T.tocsr()
        if train.has_text:
            return nearest(cosine_blocks(train.text_vectors), self.n_neighbors)
        return neighbors_matrix(*self.similarity.most_similar(users_of_items, self.n_neighbors))
