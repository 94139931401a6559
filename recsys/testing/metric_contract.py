"""The contract of metrics: a test class inherits it and defines `make`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from scipy.sparse import identity
from torch import Tensor

from recsys.metrics.base import QueryMetric, RankingMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.ranked import RankedBatch, RankingRules

N_QUERIES, N_ITEMS, N_USERS = 12, 20, 50


def context() -> MetricContext:
    """A catalogue of 20 items, of which the last has no train interaction; no two texts share a word."""
    counts = torch.arange(N_ITEMS).flip(0)
    return MetricContext(N_ITEMS, counts, N_USERS, counts > 0, identity(N_ITEMS, format="csr"))


def queries(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (12, 20) without ties, some −∞; positives (12, 20), at least one in each row; the numbers (12,)."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.stack([torch.randperm(N_ITEMS, generator=generator).float() for _ in range(N_QUERIES)])
    positives = torch.rand(N_QUERIES, N_ITEMS, generator=generator) < 0.15
    positives[torch.arange(N_QUERIES), torch.randint(N_ITEMS, (N_QUERIES,), generator=generator)] = True
    masked = (torch.rand(N_QUERIES, N_ITEMS, generator=generator) < 0.2) & ~positives
    return scores.masked_fill(masked, -torch.inf), positives, torch.arange(N_QUERIES)


def ranked(scores: Tensor, positives: Tensor, query: Tensor, depth: int | None = None) -> RankedBatch:
    """A chunk of queries, ranked to a depth; None for all items."""
    return RankedBatch.rank(scores, positives, query, None, RankingRules(depth))


class MetricContract:
    """Tests of any metric.

    Attributes:
        top_k: Cut-offs of the tested metric; None for a metric of the whole list.
    """

    top_k: Sequence[int] | None = (2, 3, 10)

    def make(self, top_k: Sequence[int] | None, context: MetricContext) -> RankingMetric:
        """A new metric at these cut-offs for this catalogue."""
        raise NotImplementedError

    @pytest.fixture
    def metric(self) -> RankingMetric:
        return self.make(self.top_k, context())

    def value(self, *chunks: RankedBatch, top_k: Sequence[int] | None = None) -> Tensor:
        """The values at the cut-offs after some chunks of queries."""
        metric = self.make(self.top_k if top_k is None else top_k, context())
        for chunk in chunks:
            metric.update(chunk)
        return metric.compute().reshape(-1)  # torchmetrics gives a single value as ()

    def test_its_direction_is_declared(self, metric: RankingMetric) -> None:
        assert isinstance(type(metric).higher_is_better, bool)

    def test_it_has_a_finite_value_for_each_cut_off(self, metric: RankingMetric) -> None:
        values = self.value(ranked(*queries()))
        assert values.shape == (len(metric.cut_offs),)
        assert torch.isfinite(values).all()

    def test_its_values_are_within_its_range(self, metric: RankingMetric) -> None:
        low, high = type(metric).plot_lower_bound, type(metric).plot_upper_bound
        for seed in range(3):
            metric.reset()
            metric.update(ranked(*queries(seed)))
            values = metric.per_query()[1] if isinstance(metric, QueryMetric) else metric.compute().reshape(-1)
            known = values[~values.isnan()]
            assert low is None or (known >= low - 1e-6).all()
            assert high is None or (known <= high + 1e-6).all()

    def test_chunks_and_their_order_change_nothing(self) -> None:
        scores, positives, query = queries()
        chunks = zip(scores.split(5), positives.split(5), query.split(5), strict=True)
        parts = [ranked(*chunk) for chunk in chunks]
        expected = self.value(ranked(*queries()))
        torch.testing.assert_close(self.value(*parts), expected)
        torch.testing.assert_close(self.value(*reversed(parts)), expected)

    def test_a_query_that_comes_twice_counts_once(self) -> None:
        scores, positives, query = queries()
        again = ranked(scores[:3], positives[:3], query[:3])
        torch.testing.assert_close(self.value(ranked(*queries()), again), self.value(ranked(*queries())))

    def test_queries_without_positives_change_nothing(self) -> None:
        scores, positives, query = queries()
        nothing = ranked(scores[:2], torch.zeros_like(positives[:2]), query[:2] + N_QUERIES)
        torch.testing.assert_close(self.value(ranked(*queries()), nothing), self.value(ranked(*queries())))

    def test_after_a_reset_nothing_is_left(self, metric: RankingMetric) -> None:
        metric.update(ranked(*queries(seed=1)))
        metric.reset()
        metric.update(ranked(*queries()))
        torch.testing.assert_close(metric.compute().reshape(-1), self.value(ranked(*queries())))

    def test_a_cut_off_above_the_catalogue_has_a_finite_value(self) -> None:
        if self.top_k is not None:
            assert torch.isfinite(self.value(ranked(*queries()), top_k=[2 * N_ITEMS])).all()

    def test_the_mean_of_the_queries_is_the_value(self, metric: RankingMetric) -> None:
        if isinstance(metric, QueryMetric):
            metric.update(ranked(*queries()))
            query, values = metric.per_query()
            assert query.tolist() == list(range(N_QUERIES))
            torch.testing.assert_close(values.double().nanmean(dim=0), metric.compute().reshape(-1))
