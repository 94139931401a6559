"""A baseline without training: text of the last item, and hops on the graph of transitions between items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from torch import Tensor

from recsys.layers.post_processing import PostProcessing
from recsys.rankers.base import Fittable
from recsys.rankers.histories import HistoryRanker, multi_hot
from recsys.rankers.item_text import processed_texts
from recsys.rankers.sparse_rows import SparseRows
from recsys.schema import DataError, ModelContext, TrainInteractions, UserBatch
from recsys.support.number_checks import check_number, check_wholes

TIE = 1e-6  # weight of the most popular item's popularity, added to cosines to break ties


class TransitionGraphRanker(HistoryRanker, Fittable):
    """Ranks items by their hops from the user's last item, with a budget for each hop, and by similarity within a hop.

    Hao et al., "TGH", arXiv 2605.07125. An edge a → b counts how often b came right after a in a user's train
    interactions. Ring h has the items whose shortest path from the last item has h edges, less those of the history. An
    item's similarity is the cosine of its text vector and that of the last item; in ring 1
    `edge_weight`·log(1 + count)/max is added, with the maximum over the last item's edges. The list has the best items
    of each ring in turn, as many as its budget, then the rest of the rings, then all others by similarity. Items are
    the paper's; their order may differ if a ring is smaller than its budget. Equal similarities, as without a text
    encoder, are ordered by popularity. Scores decrease along the list. A user without history gets popularity.

    Args:
        context: Sizes of the data.
        edge_weight: Weight of the edge in ring 1.
        budgets: Number of items of ring 1, 2, … at the top of the list.
        vectors: Post-processing of the text vectors, after centring; None for the encoder's own vectors.

    Raises:
        ConfigError: If a value is impossible.
        DataError: From `fit`, if the data has no times.
    """

    texts: Tensor
    popularity: Tensor

    def __init__(
        self,
        context: ModelContext,
        edge_weight: float = 0.5,
        budgets: Sequence[int] = (7, 2, 1),
        vectors: PostProcessing | None = None,
    ) -> None:
        super().__init__(context.n_items)
        check_number("ranker.edge_weight", edge_weight, at_least=0)
        check_wholes("ranker.budgets", budgets, 0, "[7,2,1], the places of each ring")
        self.edge_weight, self.budgets, self.vectors = edge_weight, list(budgets), vectors or PostProcessing()
        counts = context.item_counts.float()
        self.register_buffer("popularity", TIE * counts / counts.max().clamp(min=1), persistent=False)
        self.register_buffer("texts", torch.zeros(context.n_items, context.text_dim))
        self.edges = SparseRows(context.n_items, context.n_items, int(context.item_counts.sum()))

    def fit(self, train: TrainInteractions) -> None:
        self.edges.store(edge_weights(transitions(train)))
        if train.has_text:
            texts = torch.from_numpy(train.text_vectors)
            texts = texts if self.vectors.is_identity else processed_texts(train, self.vectors)
            # A truncated text is narrower than the buffer; further zeros do not change a cosine.
            self.texts.zero_()[:, : texts.shape[1]] = torch.nn.functional.normalize(texts, dim=1)

    def score_histories(self, users: UserBatch) -> Tensor:
        known = multi_hot(users, self.n_items)
        last = last_items(users)
        has_last = (last >= 0).unsqueeze(1)
        last = last.clamp(min=0)
        similarities = self.texts[last] @ self.texts.T * has_last + self.popularity
        edges = self._sums(torch.nn.functional.one_hot(last, self.n_items).float()) * has_last
        rings = self._rings(last, known)
        rings = torch.where(has_last, rings, len(self.budgets))
        similarities = similarities + self.edge_weight * edges * (rings == 0)
        return -places_by_ring(rings, similarities, self.budgets).float()

    def _rings(self, last: Tensor, known: Tensor) -> Tensor:
        """(B, n_items) hops minus 1 of each item; `len(budgets)` for those further away or in the history."""
        unreached = len(self.budgets)
        rings = torch.full(known.shape, unreached, device=known.device)
        frontier = torch.nn.functional.one_hot(last, self.n_items).bool()
        visited = frontier.clone()
        for ring in range(unreached):
            frontier = (self._sums(frontier.float()) > 0) & ~visited
            visited |= frontier
            rings[frontier] = ring
        return rings.masked_fill(known > 0, unreached)

    def _sums(self, chosen: Tensor) -> Tensor:
        """Sums (B, n_items) of the edges' rows that are chosen (B, n_items)."""
        return self.edges.sums(chosen.nonzero(), len(chosen))


def transitions(train: TrainInteractions) -> csr_matrix:
    """(n_items, n_items) how often the second item came right after the first in a user's train interactions.

    Raises:
        DataError: If the data has no times.
    """
    if train.timestamps is None:
        raise DataError("ranker=transition_graph needs times: name their column (data.interactions.timestamp).")
    order = np.lexsort((train.timestamps, train.users))
    users, items = train.users[order], train.items[order]
    follows = users[1:] == users[:-1]
    edges: tuple[NDArray[np.int64], NDArray[np.int64]] = items[:-1][follows], items[1:][follows]
    matrix = csr_matrix((np.ones(int(follows.sum())), edges), shape=(train.n_items, train.n_items))
    matrix.sum_duplicates()
    return matrix


def edge_weights(counts: csr_matrix) -> csr_matrix:
    """log(1 + count), divided by the largest of its row."""
    logs = counts.log1p()
    largest = logs.max(axis=1).toarray().ravel()
    return csr_matrix(diags_array(1 / np.where(largest > 0, largest, 1)) @ logs)


def last_items(users: UserBatch) -> Tensor:
    """(B,) the newest item of each history; −1 for an empty one."""
    if users.history.shape[1] == 0:
        return torch.full_like(users.idx, -1)
    place = torch.arange(users.history.shape[1], device=users.history.device)
    newest = torch.where(users.history_mask, place, -1).amax(dim=1)
    last = users.history.gather(1, newest.clamp(min=0).unsqueeze(1)).squeeze(1)
    return torch.where(newest >= 0, last, -1)


def places_by_ring(rings: Tensor, similarities: Tensor, budgets: Sequence[int]) -> Tensor:
    """(B, n) a rank of each item, smaller is better; ranks have gaps.

    Args:
        rings: (B, n) ring of each item, from 0; `len(budgets)` for those in none.
        similarities: (B, n), larger is better within a ring.
        budgets: Number of items of each ring that come before the rest of all rings.

    Example:
        >>> rings, similarities = torch.tensor([[0, 0, 1, 1, 2]]), torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.9]])
        >>> places_by_ring(rings, similarities, [1, 1]).argsort().tolist()  # the best of each ring, then the rest
        [[1, 3, 0, 2, 4]]
    """
    n = rings.shape[1]
    by_similarity = similarities.argsort(dim=1, descending=True, stable=True)
    order = by_similarity.gather(1, rings.gather(1, by_similarity).argsort(dim=1, stable=True))
    ring = rings.gather(1, order)
    sizes = torch.nn.functional.one_hot(rings, len(budgets) + 1).sum(dim=1)
    before = (sizes.cumsum(dim=1) - sizes).gather(1, ring)
    within = torch.arange(n, device=rings.device) - before  # rank in the own ring
    budget = torch.tensor([*budgets, 0], device=rings.device)[ring]
    block = ring + (within >= budget) * (len(budgets) + 1)
    return torch.empty_like(order).scatter_(1, order, block * n + within)
