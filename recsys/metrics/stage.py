"""The metrics of one stage: every chunk of queries is ranked once, for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recsys.metrics.accuracy import AccuracyMetric
from recsys.metrics.base import QueryMetric, RankingMetric
from recsys.metrics.ranked import RankedBatch, RankingRules

N_QUERIES = "n_queries"


class StageMetrics(nn.Module):
    """Ranks chunks of queries and updates the metrics with the rankings.

    Args:
        metrics: Metrics by name.
        segments: Masks (n_items,) of segments of items, by name, with the metrics of each, by name.
        rules: How to rank.
    """

    masks: Tensor | None

    def __init__(
        self,
        metrics: Mapping[str, RankingMetric],
        segments: Mapping[str, tuple[Tensor, Mapping[str, AccuracyMetric]]],
        rules: RankingRules,
    ) -> None:
        super().__init__()
        self.rules = rules
        self.metrics = nn.ModuleList(metrics.values())
        self.segment_metrics = nn.ModuleList(nn.ModuleList(own.values()) for _, own in segments.values())
        masks = [mask for mask, _ in segments.values()]
        self.register_buffer("masks", torch.stack(masks) if masks else None, persistent=False)
        # Typed views of the same modules, whose names nn.ModuleDict would restrict.
        self._metrics = dict(metrics)
        self._segments = {name: dict(own) for name, (_, own) in segments.items()}

    def update(self, scores: Tensor, positives: Tensor, query: Tensor, items: Tensor | None = None) -> None:
        """Add a chunk of queries.

        Args:
            scores: (B, C) float32; -∞ for seen items and padding, which are never recommended.
            positives: (B, C) bool, the relevant columns. Queries without any are skipped.
            query: (B,) the number of each query in the stage; a repeated query counts once.
            items: (B, C) the item in each column (-1 for padding); None if column j is item j of the whole catalogue.

        Raises:
            RecsysError: If a score is NaN.
        """
        batch = RankedBatch.rank(scores, positives, query, items, self.rules)
        for metric in self._metrics.values():
            metric.update(batch)
        for mask, own in zip(() if self.masks is None else self.masks, self._segments.values(), strict=True):
            hits = batch.restricted(mask)
            for metric in own.values():
                metric.update(hits)

    def compute(self) -> dict[str, float]:
        """Values by name, such as `ndcg@10`, over the queries of all processes; all processes must call it."""
        self.segments()  # gathers their states too, so that a single process can compute them later
        return _values(self._metrics)

    def per_query(self) -> dict[str, Tensor]:
        """`query` (Q,) in ascending order and the values (Q,) of each metric that has one for each query.

        Values of a segment, such as `items=cold/ndcg@10`, are NaN for queries without a relevant item in it.
        """
        columns: dict[str, Tensor] = {}
        for name, metric in self._metrics.items():
            if isinstance(metric, QueryMetric):
                query, values = metric.per_query()
                columns.setdefault("query", query.cpu())
                columns.update(zip(labels(name, metric.top_k), values.cpu().unbind(dim=1), strict=True))
        for segment, own in self._segments.items():
            columns |= {f"items={segment}/{name}": values for name, values in _aligned(own, columns["query"]).items()}
        return columns

    def segments(self) -> dict[str, dict[str, float]]:
        """Values where only a segment's items are relevant, and their `n_queries`, such as `{"items=cold": {…}}`."""
        return {f"items={name}": _segment_values(own) for name, own in self._segments.items()}

    def reset(self) -> None:
        """Remove all queries."""
        for module in self.modules():
            if isinstance(module, RankingMetric):
                module.reset()


def _aligned(metrics: Mapping[str, AccuracyMetric], query: Tensor) -> dict[str, Tensor]:
    """Values (Q,) of each metric for all queries in ascending order; NaN for those without a value."""
    columns: dict[str, Tensor] = {}
    for name, metric in metrics.items():
        seen, values = (tensor.cpu() for tensor in metric.per_query())
        table = values.new_full((len(query), values.shape[1]), torch.nan)
        table[torch.searchsorted(query, seen)] = values
        columns.update(zip(labels(name, metric.top_k), table.unbind(dim=1), strict=True))
    return columns


def _segment_values(metrics: Mapping[str, AccuracyMetric]) -> dict[str, float]:
    values = _values(metrics)
    sizes = [len(metric.per_query()[0]) for metric in metrics.values()]
    return {**values, N_QUERIES: float(sizes[0])}


def _values(metrics: Mapping[str, RankingMetric]) -> dict[str, float]:
    return {
        label: value
        for name, metric in metrics.items()
        # torchmetrics takes the only dimension off a single value
        for label, value in zip(labels(name, metric.top_k), metric.compute().reshape(-1).tolist(), strict=True)
    }


def labels(name: str, top_k: Sequence[int] | None) -> list[str]:
    """The names of a metric's values.

    Example:
        >>> labels("ndcg", [5, 10]), labels("auc", None)
        (['ndcg@5', 'ndcg@10'], ['auc'])
    """
    return [name] if top_k is None else [f"{name}@{k}" for k in top_k]
