"""User-based neighbours equal the formula, written out in numpy with a loop over users."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from rankers.test_closed_form import ClosedFormContract, dense, known, scores

from recsys.rankers.userknn import UserKNNRanker
from recsys.schema import ConfigError, ModelContext, TrainInteractions, UserBatch
from recsys.testing import ranker_contract
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, catalogue, train, user_side


def context() -> ModelContext:
    return replace(ranker_contract.context(), item_counts=torch.from_numpy(dense().sum(axis=0).astype(int)))


def solved(n_neighbors: int = N_USERS, **settings) -> UserKNNRanker:
    ranker = UserKNNRanker(context(), n_neighbors, **settings)
    ranker.fit(train())
    return ranker


def expected(weights: np.ndarray, scales: np.ndarray, n_neighbors: int = N_USERS, h: float = 0.0) -> np.ndarray:
    """`weights` of items, squared; `scales` of the users of the train part."""
    rows = np.zeros((N_USERS, N_ITEMS))
    for user, history in enumerate(known()):
        shared = dense() @ history
        similarities = dense() @ (history * weights) * scales
        similarities *= np.divide(shared, shared + h, out=np.zeros(N_USERS), where=shared > 0)
        similarities[user] = 0
        for other in np.argsort(-similarities, kind="stable")[:n_neighbors]:
            rows[user] += similarities[other] * dense()[other]
    return rows


def inverse(lengths: np.ndarray) -> np.ndarray:
    return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def cosine_scales(weights: np.ndarray) -> np.ndarray:
    return inverse(np.sqrt((dense() * weights).sum(axis=1)))


class TestUserKNNRanker(ClosedFormContract):
    def new(self):
        return UserKNNRanker(context())

    def test_it_equals_the_formula(self, ranker):
        ones = np.ones(N_ITEMS)
        assert scores(ranker).any()
        assert np.allclose(scores(ranker), expected(ones, cosine_scales(ones)), atol=1e-6)


def test_only_the_most_similar_users_count_and_shrinkage_says_who():
    ones = np.ones(N_ITEMS)
    made = solved(n_neighbors=1, shrinkage=3.0)
    assert np.allclose(scores(made), expected(ones, cosine_scales(ones), 1, 3.0), atol=1e-6)
    assert not np.allclose(scores(made), scores(solved(shrinkage=3.0)), atol=1e-3)


def test_of_equally_similar_users_at_the_end_the_first_by_index_count():
    # Users 0 to 4 of the train part have item 0 and an item of their own: all are equally similar to a user of item 0.
    n_users, n_items = 6, 7
    users, items = np.r_[np.arange(5), np.arange(5)], np.r_[np.zeros(5, dtype=int), np.arange(1, 6)]
    counts = torch.from_numpy(np.bincount(items, minlength=n_items))
    sizes = replace(ranker_contract.context(), warm_users=torch.ones(n_users, dtype=torch.bool), item_counts=counts)
    ranker = UserKNNRanker(sizes, n_neighbors=3)
    ranker.fit(TrainInteractions(users, items, None, n_users, n_items, np.zeros((n_items, 0), np.float32)))
    batch = UserBatch(torch.tensor([5]), torch.tensor([[0]]), torch.tensor([[True]]))
    assert ranker.score_histories(batch)[0].bool().tolist() == [True, True, True, True, False, False, False]


def test_tfidf_weighs_items_by_how_few_users_they_have():
    weights = (np.log((1 + N_USERS) / (1 + dense().sum(axis=0))) + 1) ** 2
    assert np.allclose(scores(solved(weighting="tfidf")), expected(weights, cosine_scales(weights)), atol=1e-6)


def test_bm25_makes_up_for_the_length_of_a_neighbour():
    counts, lengths = dense().sum(axis=0), dense().sum(axis=1)
    weights = np.log(1 + (N_USERS - counts + 0.5) / (counts + 0.5)) ** 2
    scales = 3.0 / (1 + 2.0 * (1 - 0.5 + 0.5 * lengths / lengths.mean()))
    made = solved(weighting="bm25", bm25_k1=2.0, bm25_b=0.5)
    assert np.allclose(scores(made), expected(weights, scales), atol=1e-5)


def test_a_new_user_may_be_like_anybody_and_one_of_the_data_not_like_itself():
    new, same = user_side(), user_side()
    for users in (new, same):
        users.batch.history = torch.from_numpy(np.nonzero(dense()[0])[0]).expand(N_USERS, -1)
        users.batch.history_mask = torch.ones_like(users.batch.history, dtype=torch.bool)
    new.batch.idx = torch.full((N_USERS,), -1)
    ranker = solved()
    assert ranker.similarities(same.batch)[0, 0] == 0
    length = np.sqrt(dense()[0].sum())
    assert ranker.similarities(new.batch)[:, 0].numpy() == pytest.approx(np.full(N_USERS, length), rel=1e-6)
    difference = (ranker.score_catalogue(new, catalogue()) - ranker.score_catalogue(same, catalogue()))[0]
    assert np.allclose(difference.numpy(), length * dense()[0], atol=1e-5)


@pytest.mark.parametrize(("key", "value"), [("n_neighbors", 0), ("weighting", "jaccard"), ("shrinkage", -1.0)])
def test_impossible_values_are_refused_by_their_key(key, value):
    with pytest.raises(ConfigError, match=f"ranker.{key}"):
        UserKNNRanker(context(), **{key: value})
