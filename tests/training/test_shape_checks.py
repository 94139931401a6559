"""Own rankers, profiles, losses and metrics that return the wrong shape are named, with the expected shape."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from training.small_module import BATCH, module_of

from recsys.metrics.base import QueryMetric
from recsys.metrics.context import MetricContext
from recsys.metrics.ranked import RankedBatch, RankingRules
from recsys.profiles.id import IdProfile
from recsys.rankers.cf import CFRanker
from recsys.schema import RecsysError, UserBatch
from recsys.training.losses import bpr

QUERIES = UserBatch.without_history(torch.arange(3))


def with_method(base, name, function):
    return type("Mine", (base,), {name: lambda self, *args: function(getattr(base, name)(self, *args))})


@pytest.mark.parametrize(
    ("function", "got"),
    [(lambda scores: scores[:, :1], r"a tensor \(3, 1\)"), (lambda scores: scores.tolist(), "a list")],
)
def test_scores_of_the_wrong_shape_name_the_ranker(function, got):
    module = module_of(bpr)
    model, items = module.recommender, torch.zeros(3, 2, dtype=torch.long)
    model.ranker.__class__ = with_method(CFRanker, "score_catalogue", function)
    with pytest.raises(RecsysError, match=rf"^Mine: score_catalogue must .* \(B, I\), here \(3, 5\); got {got}\.$"):
        model.score_catalogue(QUERIES, model.item_vectors(5))
    model.ranker.__class__ = with_method(CFRanker, "score", function)
    with pytest.raises(RecsysError, match=rf"^Mine: score must return a tensor \(B, N\), here \(3, 2\); got {got}\.$"):
        model.score_candidates(QUERIES, items, model.item_vectors(5))
    with pytest.raises(RecsysError, match=r"^Mine: score must return"):
        model.score(QUERIES, items)


def test_vectors_of_the_wrong_shape_name_the_profile():
    class Mine(IdProfile):
        def forward(self, *args):
            return super().forward(*args)[:1]

    model = module_of(bpr, profile=Mine).recommender
    expected = r"^Mine: forward must return a tensor \(B, dim\), here \(3, any\); got a tensor \(1, 4\)\.$"
    with pytest.raises(RecsysError, match=expected):
        model.score_catalogue(QUERIES, model.item_vectors(5))


def summed_by_row(positive, negative, mask, scale=1.0):
    return scale * positive


@pytest.mark.parametrize("loss", [summed_by_row, partial(summed_by_row, scale=2.0)])
def test_a_loss_that_is_no_number_is_named(loss):
    module = module_of(loss)
    module.losses = []
    drawn = module.sampler.draw(BATCH, torch.Generator().manual_seed(0))
    with pytest.raises(RecsysError, match=r"^loss summed_by_row must return a tensor of one number.* a tensor \(6,\)"):
        module._batch_loss(BATCH, drawn)


def test_a_metric_without_a_value_for_each_query_is_named():
    class Mine(QueryMetric):
        higher_is_better = True

        def measure(self, batch, k):
            return batch.hits.float().mean()

    counts = torch.ones(4, dtype=torch.long)
    metric = Mine([2], MetricContext(n_items=4, item_counts=counts, n_train_users=2, warm_items=counts > 0))
    scores = torch.tensor([[0.1, 0.2, 0.3, 0.4]] * 2)
    batch = RankedBatch.rank(scores, scores > 0.3, torch.arange(2), None, RankingRules(2))
    with pytest.raises(RecsysError, match=r"^Mine: measure must .* a tensor \(B,\), here \(2,\); got a tensor \(\)\.$"):
        metric.update(batch)
