"""The recommender scores alike by each of its ways: in training, of the whole catalogue, and of given candidates."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.profiles.id import IdProfile
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


def test_no_vector_is_computed_for_a_history_that_is_not_read(users, monkeypatch):
    features = ItemFeatures(CONTEXT, TextVectors(torch.randn(N_ITEMS, 5)))
    computed = []
    monkeypatch.setattr(features, "forward", lambda idx: computed.extend(idx.tolist()) or torch.zeros(len(idx), DIM))
    Recommender(features, IdProfile(CONTEXT), CFRanker(CONTEXT)).score(users, OWN, SHARED)
    assert computed == sorted({*OWN.flatten().tolist(), *SHARED.tolist()})


@pytest.mark.parametrize("shared", [SHARED, None])
def test_without_features_each_item_has_a_row_of_no_columns(users, shared):
    model, found = Recommender(None, None, EASERanker(CONTEXT)), []
    model.ranker.score = lambda side, items: found.append(items) or torch.zeros(items.rows.shape)
    model.ranker.score_catalogue = lambda side, items: found.append(items) or torch.zeros(3, len(items.idx))
    model.score(users, OWN, shared)
    n_shared = 0 if shared is None else 3
    assert found[0].table.shape == (9 + 6 + n_shared, 0)  # of the histories, their own items and the shared ones
    assert found[0].vectors.shape == (3, 2, 0)
    assert all(items.vectors.shape == (3, 0) for items in found[1:])


@pytest.mark.parametrize(
    ("profile", "ranker", "traits"),  # reads_history, reads_user, knows_new_users
    [
        (IdProfile, CFRanker, (False, True, False)),
        (MeanProfile, CFRanker, (True, False, True)),
        (None, EASERanker, (True, False, True)),
    ],
)
def test_a_model_reads_what_its_profile_or_its_ranker_reads(profile, ranker, traits):
    model = Recommender(None, None if profile is None else profile(CONTEXT), ranker(CONTEXT))
    assert (model.reads_history, model.reads_user, model.knows_new_users) == traits
    assert model.user_prompt is None


def test_a_model_knows_new_users_by_their_texts_too():
    model = Recommender(None, IdProfile(CONTEXT), CFRanker(CONTEXT))
    model.profile.prompt = "a prompt"
    assert model.user_prompt == "a prompt"
    assert model.knows_new_users


def test_the_history_is_cut_to_what_the_model_reads():
    rankers = EASERanker(CONTEXT), CFRanker(CONTEXT)
    models = [Recommender(None, None, rankers[0])]
    models += [Recommender(None, profile(CONTEXT), rankers[1]) for profile in (MeanProfile, IdProfile)]
    assert [model.history_length(7) for model in models] == [sys.maxsize, 7, 0]


def test_parameters_with_settings_of_their_own_are_in_groups_of_their_own():
    features = ItemFeatures(CONTEXT, TextVectors(torch.randn(N_ITEMS, 5)), ids=True)
    model = Recommender(features, MeanProfile(CONTEXT), CFRanker(CONTEXT))
    everything = list(model.parameters())
    assert [id(each) for each in model.parameter_groups()] == [id(each) for each in everything]
    features.text.parameter_groups = lambda: [{"params": everything[:1], "lr": 0.1}]
    rest, special = model.parameter_groups()
    assert [id(each) for each in rest["params"]] == [id(each) for each in everything[1:]]
    assert special == {"params": everything[:1], "lr": 0.1}


def test_without_features_items_have_no_vectors():
    assert Recommender(None, None, EASERanker(CONTEXT)).item_vectors(N_ITEMS).shape == (N_ITEMS, 0)


def test_a_user_without_a_profile_has_no_vector(users):
    side = Recommender(None, None, EASERanker(CONTEXT)).user_side(users, torch.zeros(4, 6), users.history)
    assert side.batch is users
    assert side.vectors.shape == (3, 0)
