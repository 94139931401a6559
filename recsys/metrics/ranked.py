"""A chunk of queries, ranked once for all metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from recsys.metrics.counting import true_in_rows
from recsys.metrics.hashing import HASH_MAX, pair_hash
from recsys.metrics.topk import rank_items

# Ties are ordered by another hash: otherwise the sampled candidates would be the ones that win ties.
_SAMPLING_STREAM = 0x5A


@dataclass(frozen=True)
class RankingRules:
    """How queries are ranked.

    Attributes:
        depth: Length of the rankings; None for all candidates.
        seed: Seed of the order of ties and of sampled candidates.
        n_negatives: Number of sampled candidates in addition to the positives, in sampled metrics.
    """

    depth: int | None
    seed: int = 0
    n_negatives: int = 100


@dataclass(frozen=True)
class Hits:
    """The ranks of the relevant items.

    Attributes:
        query: (B,) the number of each query.
        hits: (B, K) whether the item at each rank is relevant, best first.
        n_positives: (B,) relevant items of each query, at least 1.
    """

    query: Tensor
    hits: Tensor
    n_positives: Tensor


@dataclass(frozen=True)
class RankedBatch(Hits):
    """All inputs of a metric.

    Attributes:
        top_items: (B, K) the item at each rank, -1 past the end of the list.
        scores: (B, C) as they were ranked.
        positives: (B, C) bool.
        items: (B, C) the item in each column; None if column j is item j.
        rules: How it was ranked.
    """

    top_items: Tensor
    scores: Tensor
    positives: Tensor
    items: Tensor | None
    rules: RankingRules

    @classmethod
    def rank(
        cls, scores: Tensor, positives: Tensor, query: Tensor, items: Tensor | None, rules: RankingRules
    ) -> RankedBatch:
        """Rank a chunk; queries without positives are omitted.

        Raises:
            RecsysError: If a score is NaN.
        """
        n_positives = true_in_rows(positives)
        answerable = n_positives > 0
        if not answerable.all():
            scores, positives, query = scores[answerable], positives[answerable], query[answerable]
            items = None if items is None else items[answerable]
            n_positives = n_positives[answerable]
        depth = scores.shape[1] if rules.depth is None else rules.depth
        columns = rank_items(scores, depth, query, rules.seed, items)
        ranked, listed = columns.clamp(min=0), columns >= 0
        hits = positives.gather(1, ranked) & listed
        top_items = (ranked if items is None else items.gather(1, ranked)).masked_fill(~listed, -1)
        return cls(query, hits, n_positives, top_items, scores, positives, items, rules)

    def restricted(self, segment: Tensor) -> Hits:
        """The same ranking, where only the items of `segment` (n_items,) bool are relevant."""
        row, items = self._positive_pairs
        n_positives = row[segment[items]].bincount(minlength=len(self.query))
        kept = n_positives > 0
        hits = self.hits & segment[self.top_items.clamp(min=0)]
        return Hits(self.query[kept], hits[kept], n_positives[kept])

    @cached_property
    def sampled(self) -> RankedBatch:
        """The same queries with the positives and `n_negatives` uniformly sampled others as the only candidates."""
        items = torch.arange(self.scores.shape[1], device=self.scores.device) if self.items is None else self.items
        hashes = pair_hash(self.query.unsqueeze(1), items, self.rules.seed ^ (_SAMPLING_STREAM << 32))
        eligible = ~self.positives & (self.scores > -torch.inf)
        hashes = hashes.masked_fill(~eligible, HASH_MAX)
        drawn = hashes.topk(min(self.rules.n_negatives, hashes.shape[1]), dim=1, largest=False).indices
        candidates = self.positives | (torch.zeros_like(self.positives).scatter(1, drawn, True) & eligible)
        scores = self.scores.masked_fill(~candidates, -torch.inf)
        return RankedBatch.rank(scores, self.positives, self.query, self.items, self.rules)

    @cached_property
    def _positive_pairs(self) -> tuple[Tensor, Tensor]:
        row, column = self.positives.nonzero(as_tuple=True)
        return row, column if self.items is None else self.items[row, column]
