"""Popularity by age, and scores that are chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.rankers.popularity import PopularityRanker
from recsys.rankers.random_scores import RandomScoresRanker
from recsys.schema import ConfigError, DataError, TrainInteractions
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, RankerContract, catalogue, context, train, user_side

DAY = 86_400 * 10**6  # microseconds


def timed(times: np.ndarray | None) -> TrainInteractions:
    return TrainInteractions(np.array([0, 1, 2]), np.array([5, 5, 6]), times, N_USERS, N_ITEMS, train().text_vectors)


class TestDecayedPopularityRanker(RankerContract):
    def make(self):
        ranker = PopularityRanker(context(), half_life_days=2.0)
        ranker.fit(timed(np.array([0, 4, 6]) * DAY))
        return ranker

    def test_an_interaction_counts_half_after_each_half_life(self, ranker):
        scores = ranker.score_catalogue(user_side(), catalogue())[0]
        assert scores[[4, 5, 6]].tolist() == [0.0, 1 / 8 + 1 / 2, 1.0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"window_days": 2.5}, [0.0, 1.0, 1.0]),
        ({"window_days": 2.0}, [0.0, 0.0, 1.0]),
        ({"window_days": 7.0}, [0.0, 2.0, 1.0]),
        ({"window_days": 2.5, "half_life_days": 2.0}, [0.0, 1 / 2, 1.0]),
    ],
)
def test_only_interactions_in_the_window_count(settings, expected):
    ranker = PopularityRanker(context(), **settings)
    ranker.fit(timed(np.array([0, 4, 6]) * DAY))
    assert ranker.score_catalogue(user_side(), catalogue())[0, [4, 5, 6]].tolist() == expected


class TestRandomScoresRanker(RankerContract):
    def make(self):
        return self.of(seed=3)

    def of(self, seed):
        ranker = RandomScoresRanker(context())
        ranker.fit(replace(train(), seed=seed))
        return ranker

    def test_scores_are_uniform_and_differ_by_user_and_seed(self, ranker):
        users, items = user_side(), catalogue()
        items.idx = torch.arange(20_000)
        scores = ranker.score_catalogue(users, items)
        counts = torch.histc(scores, bins=10, min=0, max=1)
        assert scores.min() >= 0
        assert scores.max() < 1
        # Binomial: 80,000 draws, each bin with a mean of 8,000 and a standard deviation of 85.
        assert (counts - 8000).abs().max() < 5 * 85
        other = self.of(seed=4).score_catalogue(users, items)
        correlations = np.corrcoef(torch.cat([scores, other]).numpy())
        assert np.abs(correlations - np.eye(8)).max() < 5 / np.sqrt(20_000)


def test_a_half_life_that_is_not_positive_is_refused():
    with pytest.raises(ConfigError, match=r"ranker\.half_life_days"):
        PopularityRanker(context(), half_life_days=0)


def test_a_half_life_needs_times():
    with pytest.raises(DataError, match="no times"):
        PopularityRanker(context(), half_life_days=1.0).fit(timed(None))


def test_a_window_must_be_positive_and_needs_times():
    with pytest.raises(ConfigError, match=r"ranker\.window_days"):
        PopularityRanker(context(), window_days=0)
    with pytest.raises(DataError, match=r"ranker\.window_days is 7"):
        PopularityRanker(context(), window_days=7).fit(timed(None))
