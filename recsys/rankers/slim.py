"""SLIM: a sparse linear model of items on items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from recsys.layers.post_processing import PostProcessing
from recsys.rankers.item_item import ItemItemRanker
from recsys.rankers.item_text import processed_texts
from recsys.rankers.nonnegative import nonnegative_weights
from recsys.rankers.similarity import Similarity, most_similar
from recsys.schema import ModelContext, TrainInteractions
from recsys.support.number_checks import check_number

ENTRIES_AT_ONCE = 2_000_000  # entries of the Gram matrices that are solved together


class SLIMRanker(ItemItemRanker):
    """score(u, i) = Σ w_ji over the items j of u's history; W ≥ 0 minimises ½‖X − XW‖² + ½β‖W‖² + λ‖W‖₁, w_ii = 0.

    Ning and Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011. As in their fsSLIM, only
    the `n_neighbors` items most similar to an item (cosine) can have a weight for it; with n_items neighbours, it is
    SLIM. Each item is an elastic net, fitted by coordinate descent: in scikit-learn's terms over n users,
    alpha·l1_ratio·n is λ and alpha·(1 − l1_ratio)·n is β. Time grows with n_items·n_neighbors².
    With a text encoder each item's text is reconstructed as well, by the same W: ½α‖T − TW‖² is added, where the
    columns of T are the items' post-processed vectors, and similarities are cosines of the columns of X over √α·T
    (Jeunen, Van Balen and Goethals, RecSys 2020, as for `EASERanker`). Items without train interactions then have
    weights too.
    The fit needs 4·n² bytes for n items, and the sparse matrix of items that share users.

    Args:
        context: Sizes of the data.
        n_neighbors: Items that may have a weight for an item.
        l1: λ.
        l2: β.
        text_weight: α, for vectors whose mean squared length is 1; ignored without a text encoder.
        vectors: Post-processing of the text vectors, which are centred first; None for centring alone.

    Raises:
        ConfigError: If a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        n_neighbors: int = 100,
        l1: float = 1.0,
        l2: float = 50.0,
        text_weight: float = 100.0,
        vectors: PostProcessing | None = None,
    ) -> None:
        super().__init__(context.n_items, n_neighbors)
        for key, value in {"l1": l1, "l2": l2, "text_weight": text_weight}.items():
            check_number(f"ranker.{key}", value, at_least=0)
        self.l1, self.l2 = l1, l2
        self.text_weight, self.vectors = text_weight, vectors or PostProcessing()

    def fitted_weights(self, train: TrainInteractions) -> csr_matrix:
        of_items = train.matrix.T.tocsr().astype(np.float32)
        gram = torch.from_numpy((of_items @ of_items.T).toarray())  # of counts, which float32 holds exactly
        if train.has_text:
            texts = processed_texts(train, self.vectors)
            gram.addmm_(texts, texts.T, alpha=self.text_weight)
            columns, similarities = most_similar(_cosines(gram), self.n_neighbors)
        else:
            columns, similarities = Similarity().most_similar(of_items, self.n_neighbors)
        candidates = torch.from_numpy(columns)
        shared = gram.gather(1, candidates).masked_fill(torch.from_numpy(similarities == 0), -torch.inf)
        shared, order = shared.sort(dim=1, descending=True, stable=True)
        # Without texts, all products are ≥ 0, so a candidate that shares at most λ users always has weight 0.
        # With texts, one with a negative product may have a weight, as it can correct an error of others.
        least = -torch.inf if train.has_text else self.l1
        return _columns(*self._solve(gram, candidates.gather(1, order), shared, least))

    def _solve(self, gram: Tensor, candidates: Tensor, shared: Tensor, least: float) -> tuple[Tensor, Tensor]:
        """Candidates (n_items, n_neighbors), by decreasing `shared` product with their item, and their weights."""
        weights = torch.zeros_like(shared)
        n_active = (shared > least).sum(dim=1)
        for items in _blocks(n_active):
            active = candidates[items, : n_active[items[0]]]
            grams = gram[active.unsqueeze(2), active.unsqueeze(1)]
            targets = shared[items, : active.shape[1]]
            weights[items, : active.shape[1]] = nonnegative_weights(grams, targets, self.l1, self.l2)
        return candidates, weights


def _blocks(widths: Tensor) -> Iterator[Tensor]:
    """Items to be fitted together, those with the most candidates first; those without any are omitted."""
    order = widths.argsort(descending=True, stable=True)
    order, start = order[: int((widths > 0).sum())], 0
    while start < len(order):
        size = max(1, ENTRIES_AT_ONCE // int(widths[order[start]]) ** 2)
        yield order[start : start + size]
        start += size


def _cosines(gram: Tensor) -> Iterator[NDArray[np.float32]]:
    """The cosines of a Gram matrix, some rows at a time; 0 for an item whose row is zero."""
    scale = gram.diagonal().clamp(min=torch.finfo(gram.dtype).tiny).rsqrt()
    for rows in torch.arange(len(gram)).split(max(1, ENTRIES_AT_ONCE // len(gram))):
        yield (gram[rows] * scale[rows].unsqueeze(1) * scale).numpy()


def _columns(rows: Tensor, values: Tensor) -> csr_matrix:
    """The square matrix whose columns hold (n, k) values in the given rows."""
    n, k = rows.shape
    transposed = csr_matrix((values.flatten().numpy(), rows.flatten().numpy(), np.arange(n + 1) * k), shape=(n, n))
    transposed.eliminate_zeros()
    return transposed.T.tocsr()
