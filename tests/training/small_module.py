"""A module of three users and five items, small enough to follow by hand."""

from functools import partial

import torch

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.profiles.id import IdProfile
from recsys.rankers.cf import CFRanker
from recsys.schema import ModelContext, TrainBatch, UserBatch
from recsys.training.module import RecommenderModule
from recsys.training.negatives import AllNegatives, KnownPositives
from recsys.training.recommender import Recommender

USERS, ITEMS = torch.tensor([2, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 3, 1, 1, 4])  # item 2 is cold
BATCH = TrainBatch(UserBatch.without_history(USERS), ITEMS)


def module_of(loss, sampler=AllNegatives, profile=IdProfile) -> RecommenderModule:
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


class Recorded:
    """A loss that keeps its inputs."""

    def __call__(self, positive, negative, mask):
        self.positive, self.negative, self.mask = positive.detach(), negative.detach(), mask
        return positive.sum() * 0 + 3.0
