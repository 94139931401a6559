"""SLIM equals scikit-learn's elastic net of each item on the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rankers.test_closed_form import ClosedFormContract, cosine, dense, known, nearest_only, processed, scores
from sklearn.linear_model import ElasticNet

from recsys.rankers import slim
from recsys.rankers.nonnegative import nonnegative_weights
from recsys.rankers.slim import SLIMRanker
from recsys.schema import ConfigError, ModelContext, TrainInteractions
from recsys.testing.ranker_contract import context, train

N_USERS, N_ITEMS = 60, 25


def ones() -> np.ndarray:
    """Interactions of two tastes; nobody knows the last item."""
    rng = np.random.default_rng(0)
    tastes = np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS) % 2
    matrix = rng.random((N_USERS, N_ITEMS)) < np.where(tastes, 0.6, 0.15)
    matrix[:, -1] = False
    return matrix.astype(float)


def elastic_net(n_neighbors: int, l1: float, l2: float) -> np.ndarray:
    """The weights, one item after the other."""
    alpha, matrix, weights = (l1 + l2) / N_USERS, ones(), np.zeros((N_ITEMS, N_ITEMS))
    oracle = ElasticNet(
        alpha=alpha, l1_ratio=l1 / (l1 + l2), fit_intercept=False, positive=True, tol=1e-9, max_iter=100_000
    )
    candidates = nearest_only(cosine(matrix.T), n_neighbors) > 0
    for item in range(N_ITEMS - 1):
        others = np.flatnonzero(candidates[item])
        weights[others, item] = oracle.fit(matrix[:, others], matrix[:, item]).coef_
    return weights


def solved(n_neighbors: int, l1: float, l2: float) -> np.ndarray:
    users, items = np.nonzero(ones())
    ranker = SLIMRanker(ModelContext(0, torch.ones(N_USERS), torch.ones(N_ITEMS)), n_neighbors, l1, l2)
    interactions = TrainInteractions(users, items, None, N_USERS, N_ITEMS, np.zeros((N_ITEMS, 0), np.float32))
    return ranker.fitted_weights(interactions).toarray()


@pytest.mark.parametrize(("n_neighbors", "l1", "l2"), [(N_ITEMS, 1.0, 2.0), (N_ITEMS, 0.1, 0.5), (10, 2.0, 10.0)])
def test_it_equals_scikit_learn(n_neighbors, l1, l2, monkeypatch):
    expected = elastic_net(n_neighbors, l1, l2)
    assert 50 < np.count_nonzero(expected) < expected.size
    assert np.allclose(solved(n_neighbors, l1, l2), expected, atol=1e-4)
    monkeypatch.setattr(slim, "ENTRIES_AT_ONCE", 1)
    assert np.allclose(solved(n_neighbors, l1, l2), expected, atol=1e-4)


def test_no_item_has_a_weight_for_itself_or_more_others_than_it_may():
    weights = solved(6, 0.1, 1.0)
    assert not weights.diagonal().any()
    assert (weights >= 0).all()
    assert np.count_nonzero(weights, axis=0).max() <= 6


def test_weights_that_nothing_is_known_of_are_zero():
    gram = torch.zeros(2, 2)
    assert not nonnegative_weights(gram, torch.zeros(1, 2)).any()


class TestSLIMRanker(ClosedFormContract):
    def new(self):
        return SLIMRanker(context(), n_neighbors=5, l1=0.1, l2=1.0)

    def test_scores_are_the_sum_of_the_weights_of_the_history(self, ranker):
        weights = ranker.fitted_weights(train()).toarray()
        assert np.count_nonzero(weights) > 20
        assert np.allclose(scores(ranker), known() @ weights, atol=1e-6)


class TestSLIMRankerWithText(ClosedFormContract):
    text_dim = 5

    def new(self):
        return SLIMRanker(context(), n_neighbors=20, l1=0.1, l2=1.0, text_weight=2.0)

    @pytest.mark.parametrize("n_neighbors", [20, 30])
    def test_it_equals_scikit_learn_on_interactions_and_texts(self, n_neighbors):
        ranker = SLIMRanker(context(), n_neighbors, l1=0.1, l2=1.0, text_weight=2.0)
        rows = np.concatenate([dense(), np.sqrt(2.0) * processed(0.0).T])
        candidates, expected = nearest_only(cosine(rows.T), n_neighbors) != 0, np.zeros((30, 30))
        settings = {"fit_intercept": False, "positive": True, "tol": 1e-9, "max_iter": 100_000}
        oracle = ElasticNet(alpha=1.1 / len(rows), l1_ratio=0.1 / 1.1, **settings)
        for item in range(30):
            others = np.flatnonzero(candidates[item])
            expected[others, item] = oracle.fit(rows[:, others], rows[:, item]).coef_
        assert np.allclose(ranker.fitted_weights(train(5)).toarray(), expected, atol=1e-3)
        assert expected[:, 29].any()  # nobody knows the last item
        assert ((rows.T @ rows < 0) & (expected > 0.01)).any()  # a weight in spite of a negative product


@pytest.mark.parametrize(("key", "value"), [("n_neighbors", 0), ("l1", -1.0), ("l2", -0.1), ("text_weight", -1.0)])
def test_impossible_values_are_refused_by_their_key(key, value):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        SLIMRanker(context(), **{key: value})


def test_a_row_ends_as_if_it_were_alone():
    generator = torch.Generator().manual_seed(0)
    factors = torch.rand(40, 8, generator=generator, dtype=torch.float64)
    gram, scales = factors.T @ factors, torch.tensor([[1e-4], [1.0], [50.0]], dtype=torch.float64)
    targets = scales * torch.rand(3, 8, generator=generator, dtype=torch.float64)
    together = nonnegative_weights(gram, targets, l2=0.1)  # rows of other sizes settle after other numbers of sweeps
    alone = torch.cat([nonnegative_weights(gram, row.unsqueeze(0), l2=0.1) for row in targets])
    assert torch.equal(together, alone)
