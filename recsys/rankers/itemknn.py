"""Item-based nearest neighbours: the items most similar to those of a user's history, by co-occurrence or by text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsys.layers.post_processing import PostProcessing
from recsys.rankers.item_item import ItemItemRanker
from recsys.rankers.item_text import processed_texts
from recsys.rankers.similarity import Similarity, cosine_blocks, nearest, neighbors_matrix
from recsys.schema import ModelContext, TrainInteractions
from recsys.support.number_checks import check_number


class ItemKNNRanker(ItemItemRanker):
    """score(u, i) = Σ s_ji over the items j of u's history that have i among their `n_neighbors` most similar items.

    Deshpande and Karypis, "Item-Based Top-N Recommendation Algorithms", ACM TOIS 2004. s is the similarity of the sets
    of users of both items in the train part. With a text encoder it is w·t + (1 − w)·s, where t is the cosine of both
    texts' vectors, so that items without a train interaction are recommended too. With w = 1, the default, it is the
    text alone (content-based filtering), and weighting and shrinkage have no effect.

    Args:
        context: Sizes of the data.
        n_neighbors: Number of most similar items that are kept for each item; all if the catalogue has fewer.
        weighting: `cosine`, `tfidf` or `bm25`, see `Similarity`.
        shrinkage: Lowers the similarity of items that share few users, see `Similarity`.
        bm25_k1: k₁ of BM25, see `Similarity`.
        bm25_b: b of BM25, see `Similarity`.
        text_weight: w, 0 to 1; ignored without a text encoder. BM25 similarities have no upper bound, so a good w then
            depends on the data.
        vectors: Post-processing of the text vectors, after centring; None for the encoder's own vectors.

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
        text_weight: float = 1.0,
        vectors: PostProcessing | None = None,
    ) -> None:
        super().__init__(context.n_items, n_neighbors)
        check_number(
            "ranker.text_weight", text_weight, at_least=0, at_most=1, reason=" (0: interactions alone, 1: text alone)"
        )
        self.text_weight, self.vectors = text_weight, vectors or PostProcessing()
        self.similarity = Similarity(weighting, shrinkage, bm25_k1, bm25_b)

    def fitted_weights(self, train: TrainInteractions) -> csr_matrix:
        users_of_items = train.matrix.T.tocsr()
        if not train.has_text:
            return neighbors_matrix(*self.similarity.most_similar(users_of_items, self.n_neighbors))
        by_text = cosine_blocks(self._texts(train))
        if self.text_weight == 1:
            return nearest(by_text, self.n_neighbors)
        both = zip(by_text, self.similarity.blocks(users_of_items), strict=True)
        w = self.text_weight
        return nearest((w * text + (1 - w) * users for text, users in both), self.n_neighbors)

    def _texts(self, train: TrainInteractions) -> NDArray[np.float32]:
        return train.text_vectors if self.vectors.is_identity else processed_texts(train, self.vectors).numpy()
