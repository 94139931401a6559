"""The recommender scores alike by each of its ways: in training, of the whole catalogue, and of given candidates."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.profiles.mean import MeanProfile
from recsys.rankers.cf import CFRanker
from recsys.rankers.ease import EASERanker
from recsys.schema import ModelContext, UserBatch
from recsys.training.recommender import Recommender

N_ITEMS, DIM = 40, 6
CONTEXT = ModelContext(DIM, torch.ones(3, dtype=torch.bool), torch.ones(N_ITEMS, dtype=torch.int64))
OWN = torch.tensor([[4, 39], [7, 7], [0, 1]])
SHARED = torch.tensor([5, 38, 5])


@pytest.fixture
def users():
    history = torch.tensor([[3, 8, 1], [2, 0, 0], [0, 0, 0]])
    return UserBatch(torch.arange(3), history, torch.arange(3) < torch.tensor([3, 1, 0]).unsqueeze(1))


@pytest.fixture(params=["features", "no features"])
def model(request):
    torch.manual_seed(0)
    if request.param == "no features":
        ranker = EASERanker(CONTEXT)
        nn.init.normal_(ranker.weights)
        return Recommender(None, None, ranker).eval()
    features = ItemFeatures(CONTEXT, TextVectors(torch.randn(N_ITEMS, 5)), ids=True)
    return Recommender(features, MeanProfile(CONTEXT), CFRanker(CONTEXT)).eval()


def test_own_and_shared_items_have_the_scores_of_the_catalogue(model, users):
    catalogue = model.score_catalogue(users, model.item_vectors(N_ITEMS))
    own, shared = model.score(users, OWN, SHARED)
    torch.testing.assert_close(own, catalogue.gather(1, OWN))
    torch.testing.assert_close(shared, catalogue[:, SHARED])


def test_without_shared_items_there_are_no_scores_of_them(model, users):
    own, shared = model.score(users, OWN)
    assert torch.equal(own, model.score(users, OWN, SHARED)[0])
    assert shared.shape == (3, 0)


def test_candidates_have_the_scores_of_the_catalogue(model, users):
    vectors = model.item_vectors(N_ITEMS)
    expected = model.score_catalogue(users, vectors).gather(1, OWN)
    torch.testing.assert_close(model.score_candidates(users, OWN, vectors), expected)


def test_vectors_are_computed_for_the_items_of_the_batch_alone(model, users, monkeypatch):
    if model.features is None:
        pytest.skip("nothing is computed")
    computed = []
    forward = model.features.forward
    monkeypatch.setattr(model.features, "forward", lambda idx: computed.append(idx) or forward(idx))
    model.score(users, OWN, SHARED)
    (idx,) = computed
    assert idx.tolist() == sorted({*users.history.flatten().tolist(), *OWN.flatten().tolist(), *SHARED.tolist()})
