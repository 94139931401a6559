import math

import numpy as np
import pytest
import torch

from recsys.config.compatibility import check
from recsys.config.compose import compose
from recsys.data.ragged import ItemLists
from recsys.rankers.multvae import MultVAERanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, RankerContract, catalogue, context, user_side
from recsys.training.batches import WholeUserBatches
from recsys.training.losses import multinomial


def make(**settings) -> MultVAERanker:
    return MultVAERanker(context(), **{"hidden_dims": [7, 6], "latent_dim": 3, "dropout": 0.0, **settings})


def encoded(ranker: MultVAERanker) -> np.ndarray:
    """Mean and log variance of the contract's users, side by side, layer by layer."""
    x = np.zeros((N_USERS, N_ITEMS))
    for user, done in enumerate([[3, 8, 1], [0, 2], [5, 6, 7, 29], []]):
        x[user, done] = 1 / math.sqrt(max(1, len(done)))
    return forward(ranker.encoder, x)


def forward(layers: torch.nn.Sequential, x: np.ndarray) -> np.ndarray:
    linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
    for place, layer in enumerate(linear):
        x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        x = np.tanh(x) if place < len(linear) - 1 else x
    return x


class TestMultVAERanker(RankerContract):
    def make(self):
        return make()

    def test_users_are_served_by_the_mean_of_z(self, ranker):
        expected = forward(ranker.decoder, encoded(ranker)[:, :3])
        found = ranker.score_catalogue(user_side(), catalogue()).detach().numpy()
        assert np.allclose(found[:, :-1], expected[:, :-1], atol=1e-5)
        assert (found[:, -1] < found[:, :-1].min(axis=1)).all()  # the last item is cold

    def test_the_loss_is_the_papers_with_z_as_drawn(self, ranker):
        ranker.train()
        ranker.anneal_cap, ranker.anneal_steps = 0.5, 4
        ranker.n_steps += 3
        users = user_side().batch
        torch.manual_seed(5)
        scores, penalty = ranker.reconstruct(users)
        torch.manual_seed(5)
        noise = torch.randn(N_USERS, 3).numpy()
        mean, log_variance = np.split(encoded(ranker), 2, axis=1)
        sigma = np.exp(log_variance / 2)
        logits = forward(ranker.decoder, mean + sigma * noise)[:, :-1]
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        divergence = 0.5 * (mean**2 + sigma**2 - 1 - 2 * np.log(sigma)).sum(axis=1)
        done = [[3, 8, 1], [0, 2], [5, 6, 7], []]  # item 29 is cold, and no train interaction
        expected = [-log_p[user, items].sum() for user, items in enumerate(done)]
        mask = users.history_mask & (users.history != 29)
        assert penalty.item() == pytest.approx(0.5 * 3 / 4 * divergence.mean(), rel=1e-5)
        assert multinomial(scores, users.history, mask).item() == pytest.approx(np.mean(expected), rel=1e-5)
        assert ranker.beta == 0.5  # a step was taken

    def test_dropout_hides_what_was_done_from_the_encoder_in_training_alone(self):
        ranker = make(dropout=0.9)
        ranker.anneal_cap = 0.0
        users = user_side().batch
        assert torch.equal(ranker.eval().reconstruct(users)[0], ranker.reconstruct(users)[0])
        assert not torch.equal(ranker.train().reconstruct(users)[0], ranker.reconstruct(users)[0])


def test_noise_multiplies_the_deviation_of_the_draw():
    users, scores = user_side().batch, {}
    for noise in (0.0, 0.5, 1.0):
        torch.manual_seed(1)
        ranker = make(noise=noise)
        ranker.decoder = torch.nn.Linear(3, N_ITEMS)  # so that scores are linear in z
        with torch.no_grad():
            ranker.decoder.weight.fill_(1.0)
            ranker.decoder.bias.zero_()
        torch.manual_seed(2)
        scores[noise] = ranker.train().reconstruct(users)[0][:, 0]
        mean = ranker.eval().reconstruct(users)[0][:, 0]
    assert torch.allclose(scores[0.0], mean)
    assert torch.allclose(scores[0.5], (scores[0.0] + scores[1.0]) / 2, atol=1e-5)
    assert not torch.allclose(scores[1.0], mean, atol=0.1)


def test_beta_rises_to_its_cap_or_has_it_at_once():
    ranker = make(anneal_cap=0.2, anneal_steps=10)
    assert ranker.beta == 0
    ranker.n_steps += 25
    assert ranker.beta == 0.2
    assert make(anneal_cap=0.3, anneal_steps=0).beta == 0.3


def test_a_batch_holds_whole_users_each_once_by_the_interactions_of_a_step():
    lists = ItemLists(np.array([0, 3, 3, 4, 6]), np.array([5, 6, 7, 8, 1, 2], dtype=np.int32))
    batches = [batch for block in WholeUserBatches(lists, 4, 0, lambda: 0) for batch in block]
    assert [len(batch.users.idx) for batch in batches] == [2, 1]  # of three users with a mean of two
    found = {
        int(user): batch.users.history[row][batch.users.history_mask[row]].tolist()
        for batch in batches
        for row, user in enumerate(batch.users.idx)
    }
    assert found == {0: [5, 6, 7], 2: [8], 3: [1, 2]}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["ranker=multvae", "loss=bpr", "negatives=uniform"], "loss=bpr is for positives and negatives"),
        (["ranker=dot", "loss=multinomial"], "loss=multinomial is for whole histories of users"),
        (["ranker=multvae", "negatives=uniform"], "it needs negatives=none"),
        (["ranker=multvae", "encoder=tfidf"], "ignores encoder=tfidf"),
    ],
)
def test_what_does_not_go_together_is_refused(overrides, words):
    with pytest.raises(ConfigError, match=words):
        check(compose(overrides))


@pytest.mark.parametrize("settings", [{"latent_dim": 0}, {"hidden_dims": [0]}, {"anneal_cap": -1}, {"noise": -1}])
def test_impossible_values_are_refused(settings):
    with pytest.raises(ConfigError, match=rf"ranker\.{next(iter(settings))}"):
        make(**settings)
