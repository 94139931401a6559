"""The loss that the module makes of a batch."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from training.small_module import BATCH, ITEMS, USERS, Recorded, loss_and_gradients, module_of

from recsys.profiles.mean import MeanProfile
from recsys.rankers.multvae import MultVAERanker
from recsys.rankers.popularity import PopularityRanker
from recsys.schema import EvaluationBatch, ModelContext, TrainBatch, UserBatch
from recsys.training.losses import distil, full_softmax, infonce, likelihood, multinomial, sampled_softmax
from recsys.training.module import RecommenderModule, temperature_of
from recsys.training.negatives import (
    AllNegatives,
    HardNegatives,
    InBatchNegatives,
    PopularityNegatives,
    UniformNegatives,
)
from recsys.training.recommender import Recommender
from recsys.training.teacher_lists import TeacherLists


def test_users_scored_once_have_the_loss_and_gradients_of_a_row_for_each_positive():
    module = module_of(full_softmax)
    assert module.scores_users_once
    score, own_items = module.recommender.score, []
    module.recommender.score = lambda users, own, shared: own_items.append(own.shape) or score(users, own, shared)
    once = loss_and_gradients(module, BATCH.by_user())
    assert own_items == [(3, 0)]  # positives have the scores of the row
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


def scores_given_to_the_loss(sampler, **settings):
    """The scores that the loss gets, those of the model, and the negatives, for the batch above."""
    recorded = Recorded()
    module = module_of(recorded, partial(sampler, **settings))
    negatives = module.sampler.draw(BATCH, torch.Generator().manual_seed(0))
    module._loss_of_positives(BATCH, negatives)
    items = negatives.items.expand(len(ITEMS), -1) if negatives.items.dim() == 1 else negatives.items
    positive = module.recommender.score(BATCH.users, ITEMS.unsqueeze(1))[0].squeeze(1)
    return recorded, (positive.detach(), module.recommender.score(BATCH.users, items)[0].detach()), items


@pytest.mark.parametrize(
    ("sampler", "settings"),
    [(UniformNegatives, {"n_negatives": 3}), (PopularityNegatives, {"n_negatives": 3}), (AllNegatives, {})],
)
def test_without_a_correction_the_loss_gets_the_scores_of_the_model(sampler, settings):
    recorded, (positive, negative), _ = scores_given_to_the_loss(sampler, **settings)
    torch.testing.assert_close(recorded.positive, positive)
    torch.testing.assert_close(recorded.negative, negative)
    assert recorded.mask.shape == negative.shape


@pytest.mark.parametrize(
    ("sampler", "settings"),
    [(PopularityNegatives, {"n_negatives": 3, "alpha": 1.0, "log_q": True}), (InBatchNegatives, {})],
)
def test_the_log_of_the_drawing_probability_is_subtracted_from_both_sides(sampler, settings):
    recorded, (positive, negative), items = scores_given_to_the_loss(sampler, **settings)
    # Items 0, 1, 3, 4 have 2, 2, 1, 1 of the 6 train interactions.
    log_q = torch.tensor([2 / 6, 2 / 6, 1.0, 1 / 6, 1 / 6]).log()
    torch.testing.assert_close(recorded.positive, positive - log_q[ITEMS])
    torch.testing.assert_close(recorded.negative, negative - log_q[items])


def test_hard_negatives_are_chosen_by_the_scores_of_the_model():
    module = module_of(Recorded(), partial(HardNegatives, n_negatives=1, pool_size=64))
    everything = module.recommender.score_catalogue(BATCH.users, module.recommender.item_vectors(5)).detach()
    everything[:, 2] = -torch.inf  # cold
    for row in range(len(USERS)):
        everything[row, ITEMS[USERS[row] == USERS]] = -torch.inf
    module._loss_of_positives(BATCH, module.sampler.draw(BATCH, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(module.loss.negative.squeeze(1), everything.max(dim=1).values)


def test_the_loss_of_a_share_of_a_batch_is_multiplied_by_its_weight():
    module = module_of(Recorded())
    module.losses = []
    drawn = module.sampler.draw(BATCH, torch.Generator())
    assert module._batch_loss(BATCH, drawn).item() == 3.0
    assert module._batch_loss(replace(BATCH, weight=0.5), drawn).item() == 1.5
    assert module._batch_loss(replace(BATCH, weight=2.0), drawn).item() == 6.0
    assert module.mean_loss.item() == (3.0 + 1.5 + 6.0) / 3


def test_the_mean_loss_before_the_first_step_is_zero():
    module = module_of(Recorded())
    module.losses = []
    assert module.mean_loss.item() == 0.0


def test_a_user_level_loss_gets_the_reconstruction_and_its_penalty_is_added():
    context = ModelContext(4, torch.ones(3).bool(), torch.bincount(ITEMS, minlength=5))
    ranker = MultVAERanker(context, hidden_dims=[4], latent_dim=2)
    scores = torch.arange(10.0).view(2, 5)
    ranker.reconstruct = lambda users: (scores, torch.tensor(0.25))
    module = RecommenderModule(Recommender(None, None, ranker), context, multinomial, None, None, {}, seed=0)
    module.losses = []
    users = UserBatch(torch.arange(2), torch.tensor([[0, 3], [1, 0]]), torch.tensor([[True, True], [True, False]]))
    loss = module._batch_loss(TrainBatch(users, torch.empty(0, dtype=torch.long)), None)
    assert loss.item() == pytest.approx(multinomial(scores, users.history, users.history_mask).item() + 0.25)


def test_a_loss_of_likelihoods_gets_the_scores_of_the_positives_alone():
    context = ModelContext(4, torch.ones(3).bool(), torch.bincount(ITEMS, minlength=5))
    ranker = MultVAERanker(context, hidden_dims=[4], latent_dim=2)
    ranker.score = lambda users, items: -items.idx.float()
    module = RecommenderModule(Recommender(None, None, ranker), context, likelihood, None, None, {}, seed=0)
    module.losses = []
    users = UserBatch.without_history(torch.arange(2))
    batch = TrainBatch(users, torch.tensor([1, 4]))
    assert module._batch_loss(batch, None).item() == 5 / 2
    assert module.training_step([batch], 0).item() == 5 / 2


def evaluation(candidates=None, seen=((0, 0, 1), (1, 4, 0))):
    users = UserBatch.without_history(torch.tensor([2, 0]))
    pairs = torch.tensor(seen, dtype=torch.long), torch.tensor([[0], [3]])
    return EvaluationBatch(torch.tensor([5, 6]), users, *pairs, candidates)


@torch.no_grad()
def test_known_items_are_masked_in_the_ranking_and_no_others():
    module = module_of(Recorded())
    module.on_validation_epoch_start()
    scores = module.scores(evaluation())
    expected = module.recommender.score_catalogue(evaluation().users, module.recommender.item_vectors(5))
    assert scores.isneginf().nonzero().tolist() == [[0, 1], [0, 4], [1, 0]]
    kept = ~scores.isneginf()
    torch.testing.assert_close(scores[kept], expected[kept])


@torch.no_grad()
def test_padding_of_candidates_is_masked_and_the_others_have_the_scores_of_the_catalogue():
    module = module_of(Recorded())
    module.on_test_epoch_start()
    candidates = torch.tensor([[4, 1, -1], [0, -1, -1]])
    scores = module.scores(evaluation(candidates, seen=((), ())))
    expected = module.recommender.score_catalogue(evaluation().users, module.item_vectors)
    torch.testing.assert_close(scores[0, :2], expected[0, [4, 1]])
    torch.testing.assert_close(scores[1, 0], expected[1, 0])
    assert (scores == -torch.inf).tolist() == [[False, False, True], [False, True, True]]


class OneRow(PopularityRanker):
    """Gives its own scores of all items as an expanded view."""

    def score_catalogue(self, users, items):
        return self.counts.unsqueeze(0).expand(len(users.batch.idx), -1)


@pytest.mark.parametrize("n_queries", [1, 2])
@torch.no_grad()
def test_known_items_are_not_masked_in_the_rankers_own_tensor(n_queries):
    context = ModelContext(4, torch.ones(3).bool(), torch.bincount(ITEMS, minlength=5))
    ranker = OneRow(context)
    own = ranker.counts.clone()
    module = RecommenderModule(Recommender(None, None, ranker), context, None, None, None, {}, seed=0)
    module.on_validation_epoch_start()
    users = evaluation().users.split(n_queries)[0]
    seen = (torch.tensor([0]), torch.tensor([1]))
    batch = replace(evaluation(), users=users, seen=seen)
    assert module.scores(batch)[0, 1].isneginf()
    assert torch.equal(ranker.counts, own)


@torch.no_grad()
def test_masking_a_row_that_all_users_share_leaves_the_rankers_own_scores_as_they_are():
    context = ModelContext(4, torch.ones(3).bool(), torch.bincount(ITEMS, minlength=5))
    ranker = PopularityRanker(context)
    module = RecommenderModule(Recommender(None, None, ranker), context, None, None, None, {}, seed=0)
    module.on_validation_epoch_start()
    first = module.scores(evaluation())
    assert first.isneginf().sum() == 3
    assert torch.equal(module.scores(evaluation()), first)


def test_positives_are_marked_for_the_metrics_of_the_stage():
    class Kept(nn.Module):
        def update(self, *values):
            self.values = values

    module = module_of(Recorded())
    module.stage_metrics = nn.ModuleDict({"val": Kept(), "test": Kept()})
    with torch.no_grad():
        module.on_validation_epoch_start()
        module.validation_step(evaluation(), 0)
    scores, positives, query, items = module.stage_metrics["val"].values
    assert positives.nonzero().tolist() == [[0, 3]]
    assert positives.dtype == torch.bool
    assert query.tolist() == [5, 6]
    assert items is None
    assert scores.isneginf().sum() == 3
    assert not hasattr(module.stage_metrics["test"], "values")
    with torch.no_grad():
        module.test_step(evaluation(), 0)
    assert torch.equal(module.stage_metrics["test"].values[1], positives)


def test_randomness_of_an_epoch_depends_on_seed_and_epoch_alone(monkeypatch):
    def draws(seed, epoch):
        module = module_of(Recorded())
        module.seed = seed
        monkeypatch.setattr(type(module), "current_epoch", epoch)
        torch.rand(epoch + 3)  # whatever was drawn before
        module.on_train_epoch_start()
        return torch.rand(1).item(), torch.rand(1, generator=module.generator).item()

    assert draws(0, 1) == draws(0, 1)
    found = [draws(seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len({own[0] for own in found}) == len({own[1] for own in found}) == 3


def test_the_logq_correction_is_not_divided_by_the_temperature():
    def expected(temperature):
        module = module_of(sampled_softmax, partial(InBatchNegatives, log_q=True))
        negatives = module.sampler.draw(BATCH, torch.Generator())
        own, shared = module.recommender.score(BATCH.users, ITEMS.unsqueeze(1), negatives.items)
        positive = own.squeeze(1) / temperature - negatives.positive_log_q
        return sampled_softmax(positive, shared / temperature - negatives.log_q, negatives.mask)

    module = module_of(partial(infonce, temperature=0.3), partial(InBatchNegatives, log_q=True))
    found = module._loss_of_positives(BATCH, module.sampler.draw(BATCH, torch.Generator()))
    torch.testing.assert_close(found, expected(0.3))


def test_soft_labels_are_the_scores_of_the_teachers_items_by_both():
    def loss(positive, negative, mask, soft):
        found.update(positive=positive, negative=negative, soft=soft)
        return positive.sum()

    found = {}
    module = module_of(loss, partial(UniformNegatives, n_negatives=3))
    items, scores = torch.tensor([[3, 1], [0, 4], [4, 2]]), torch.tensor([[1.0, 2.0], [3.0, -torch.inf], [4.0, 5.0]])
    module.teacher = TeacherLists(items, scores)
    negatives = module.sampler.draw(BATCH, torch.Generator().manual_seed(0))
    module._loss_of_positives(BATCH, negatives)
    expected = module.recommender.score_catalogue(BATCH.users, module.recommender.item_vectors(5))
    torch.testing.assert_close(found["positive"], expected.gather(1, ITEMS.unsqueeze(1)).squeeze(1))
    torch.testing.assert_close(found["negative"], expected.gather(1, negatives.items))
    torch.testing.assert_close(found["soft"].student, expected.gather(1, items[USERS]))
    assert torch.equal(found["soft"].teacher, scores[USERS])
    assert torch.equal(found["soft"].mask, ~scores[USERS].isneginf())


@pytest.mark.parametrize(
    ("loss", "temperature"), [(None, 1), (sampled_softmax, 1), (distil, 1), (infonce, 0.2), (full_softmax, 1)]
)
def test_the_temperature_is_what_a_loss_divides_all_scores_by(loss, temperature):
    assert temperature_of(loss) == temperature
    assert temperature_of(partial(infonce, temperature=0.7)) == 0.7
