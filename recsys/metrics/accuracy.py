"""Accuracy metrics of the ranking. The formulas are in `functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from recsys.metrics import functional
from recsys.metrics.base import QueryMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.ranked import Hits, RankedBatch
from recsys.schema import ConfigError


class AccuracyMetric(QueryMetric):
    """A function of the ranks of the relevant items; reported for segments of items too."""

    higher_is_better = True
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    formula: ClassVar[staticmethod[[Tensor, Tensor, int], Tensor]]

    def update(self, batch: Hits) -> None:
        """Keep the values of a chunk of queries."""
        self._keep_values(batch.query, [self.measure(batch, k) for k in self.cut_offs])

    def measure(self, batch: Hits, k: int | None) -> Tensor:
        """Values (B,) at a cut-off; None for the whole list."""
        depth = batch.hits.shape[1] if k is None else k
        return self.formula(batch.hits, batch.n_positives, depth)


class NDCG(AccuracyMetric):
    """Normalised discounted cumulative gain, binary."""

    formula = staticmethod(functional.ndcg)


class Recall(AccuracyMetric):
    """Share of a query's relevant items that are in the list."""

    formula = staticmethod(functional.recall)


class HitRate(AccuracyMetric):
    """Share of queries with a relevant item in the list."""

    formula = staticmethod(functional.hit_rate)


class Precision(AccuracyMetric):
    """Share of the list that is relevant."""

    formula = staticmethod(functional.precision)


class MeanAveragePrecision(AccuracyMetric):
    """Precision averaged over the ranks of the relevant items."""

    formula = staticmethod(functional.average_precision)


class MeanReciprocalRank(AccuracyMetric):
    """1 / rank of the first relevant item."""

    formula = staticmethod(functional.reciprocal_rank)


class MindMRR(AccuracyMetric):
    """1 / rank averaged over all of a query's relevant items, as in MIND's evaluation script."""

    formula = staticmethod(functional.mean_reciprocal_rank)


class AUC(QueryMetric):
    """Share of a query's (positive, negative) pairs that are in the right order; per query, never pooled.

    Raises:
        ConfigError: If there are cut-offs.
    """

    higher_is_better = True
    plot_lower_bound, plot_upper_bound = 0.0, 1.0
    reads_ranking = False
    needs_all_scores = True

    def __init__(self, top_k: Sequence[int] | None, context: MetricContext) -> None:
        if top_k is not None:
            raise ConfigError(
                f"metrics: auc is computed on the whole list and has no cut-off, got {list(top_k)}; use top_k: null."
            )
        super().__init__(top_k, context)

    def measure(self, batch: RankedBatch, k: int | None) -> Tensor:
        """Values (B,)."""
        return functional.auc(batch.scores, batch.positives)
