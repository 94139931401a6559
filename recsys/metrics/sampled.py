"""Accuracy among sampled candidates, for comparison with old papers only: it can reverse the order of two models.

Krichene & Rendle 2020, "On sampled metrics for item recommendation".
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from recsys.metrics import functional
from recsys.metrics.base import QueryMetric
from recsys.metrics.ranked import RankedBatch


class SampledMetric(QueryMetric):
    """An accuracy metric of a query's positives among `metrics.n_negatives` sampled candidates."""

    higher_is_better = True
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    needs_all_scores = True
    formula: ClassVar[staticmethod[[Tensor, Tensor, int], Tensor]]

    def measure(self, batch: RankedBatch, k: int | None) -> Tensor:
        """Values (B,) at a cut-off; None for the whole list."""
        sampled = batch.sampled
        depth = sampled.hits.shape[1] if k is None else k
        return self.formula(sampled.hits, sampled.n_positives, depth)


class SampledNDCG(SampledMetric):
    """`NDCG` among sampled candidates."""

    formula = staticmethod(functional.ndcg)


class SampledRecall(SampledMetric):
    """`Recall` among sampled candidates."""

    formula = staticmethod(functional.recall)


class SampledHitRate(SampledMetric):
    """`HitRate` among sampled candidates."""

    formula = staticmethod(functional.hit_rate)


class SampledMRR(SampledMetric):
    """`MeanReciprocalRank` among sampled candidates."""

    formula = staticmethod(functional.reciprocal_rank)
