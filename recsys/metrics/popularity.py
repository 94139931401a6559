"""Popularity and novelty of the recommended items."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor

from recsys.metrics import functional
from recsys.metrics.base import QueryMetric, TopKMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.ranked import RankedBatch


class ItemValueMetric(TopKMetric, QueryMetric):
    """The mean over the list of a value that each item has."""

    item_values: Tensor

    def __init__(self, top_k: Sequence[int] | None, context: MetricContext) -> None:
        super().__init__(top_k, context)
        self.register_buffer("item_values", self.values_of_items(context), persistent=False)

    @abstractmethod
    def values_of_items(self, context: MetricContext) -> Tensor:
        """(n_items,) float32."""

    def measure(self, batch: RankedBatch, k: int | None) -> Tensor:
        """Means (B,)."""
        return functional.mean_of_listed(self.item_values, batch.top_items[:, :k])


class AveragePopularity(ItemValueMetric):
    """Mean number of train interactions of the recommended items."""

    higher_is_better = False
    plot_lower_bound = 0.0

    def values_of_items(self, context: MetricContext) -> Tensor:
        """Train interactions."""
        return context.item_counts.float()


class Novelty(ItemValueMetric):
    """Mean self-information of the recommended items in bits (Zhou et al. 2010)."""

    higher_is_better = True
    plot_lower_bound = 0.0

    def values_of_items(self, context: MetricContext) -> Tensor:
        """-log2 of the share of train users."""
        return functional.self_information(context.item_counts, context.n_train_users)
