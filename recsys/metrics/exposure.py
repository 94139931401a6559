"""Metrics of the recommended items over all queries together."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import pad

from recsys.metrics import functional
from recsys.metrics.base import TopKMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.ranked import RankedBatch


class ExposureMetric(TopKMetric):
    """A function of how often each item of the catalogue is recommended."""

    def __init__(self, top_k: list[int], context: MetricContext) -> None:
        super().__init__(top_k, context)
        self.n_items = context.n_items

    @property
    def row_shape(self) -> tuple[int, torch.dtype]:
        """One item for each rank of the longest list."""
        return max(k for k in self.cut_offs if k), torch.int32

    @abstractmethod
    def judge(self, counts: Tensor) -> Tensor:
        """The value, given how often each item is recommended, (n_items,)."""

    def update(self, batch: RankedBatch) -> None:
        """Keep the recommended items of a chunk of queries."""
        width, dtype = self.row_shape
        top_items = batch.top_items[:, :width]
        self._keep(batch.query, pad(top_items, (0, width - top_items.shape[1]), value=-1).to(dtype))

    def compute(self) -> Tensor:
        """Values at each cut-off; NaN without queries."""
        listed = self._distinct()[1].cpu()
        if not len(listed):
            return torch.full((len(self.cut_offs),), torch.nan, dtype=torch.float64)
        return torch.stack([self.judge(self._counts(listed[:, :k])) for k in self.cut_offs])

    def _counts(self, listed: Tensor) -> Tensor:
        return listed[listed >= 0].bincount(minlength=self.n_items)


class Coverage(ExposureMetric):
    """Share of the catalogue that is recommended to at least one user."""

    higher_is_better = True
    plot_lower_bound, plot_upper_bound = 0.0, 1.0

    def judge(self, counts: Tensor) -> Tensor:
        """Share of items with a count."""
        return functional.coverage(counts)


class Gini(ExposureMetric):
    """Inequality of how often the items of the catalogue are recommended."""

    higher_is_better = False
    plot_lower_bound, plot_upper_bound = 0.0, 1.0

    def judge(self, counts: Tensor) -> Tensor:
        """Gini index of the counts."""
        return functional.gini(counts)
