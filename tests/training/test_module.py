"""The loss that the module makes of a batch."""

from functools import partial

import pytest
import torch

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.profiles.id import IdProfile
from recsys.profiles.mean import MeanProfile
from recsys.rankers.cf import CFRanker
from recsys.schema import ModelContext, TrainBatch, UserBatch
from recsys.training.losses import full_softmax, sampled_softmax
from recsys.training.module import RecommenderModule
from recsys.training.negatives import AllNegatives, KnownPositives, UniformNegatives
from recsys.training.recommender import Recommender

USERS, ITEMS = torch.tensor([2, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 3, 1, 1, 4])  # item 2 is cold
BATCH = TrainBatch(UserBatch.without_history(USERS), ITEMS)


def module_of(loss, sampler=AllNegatives, profile=IdProfile):
    torch.manual_seed(0)
    context = ModelContext(4, torch.ones(3).bool(), torch.bincount(ITEMS, minlength=5))
    features = ItemFeatures(context, TextVectors(torch.randn(5, 3)), ids=True)
    made = partial(sampler, known=KnownPositives(USERS, ITEMS, 3, 5))
    recommender = Recommender(features, profile(context), CFRanker(context))
    module = RecommenderModule(recommender, context, loss, made, None, {}, seed=0)
    module.make_sampler(torch.device("cpu"))
    return module


def loss_and_gradients(module, batch):
    drawn = module.sampler.draw(batch, torch.Generator().manual_seed(0))
    loss = module._loss_of_positives(batch, drawn)
    loss.backward()
    return [loss.detach(), *(parameter.grad for parameter in module.recommender.parameters())]


def test_users_scored_once_have_the_loss_and_gradients_of_a_row_for_each_positive():
    module = module_of(full_softmax)
    assert module.scores_users_once
    once = loss_and_gradients(module, BATCH.by_user())
    repeated = loss_and_gradients(module_of(sampled_softmax), BATCH)
    for own, expected in zip(once, repeated, strict=True):
        torch.testing.assert_close(own, expected)


def test_by_user_keeps_each_positives_user():
    grouped = BATCH.by_user()
    assert grouped.users.idx.tolist() == [0, 1, 2]
    assert grouped.users.idx[grouped.rows].tolist() == USERS.tolist()


@pytest.mark.parametrize(
    "parts",
    [
        {"loss": sampled_softmax},
        {"loss": full_softmax, "sampler": UniformNegatives},
        {"loss": full_softmax, "profile": MeanProfile},
    ],
)
def test_users_are_scored_for_each_positive_where_rows_may_differ(parts):
    assert not module_of(**parts).scores_users_once
