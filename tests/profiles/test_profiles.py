import re

import pytest
import torch
from profiles.profile_contract import DIM, ProfileContract, batch_of, context

from recsys.profiles.attention import AttentionProfile
from recsys.profiles.id import IdProfile
from recsys.profiles.mean import MeanProfile
from recsys.profiles.recurrent import RecurrentProfile
from recsys.profiles.text import TextProfile
from recsys.profiles.transformer import TransformerProfile
from recsys.schema import ConfigError


class TestMeanProfile(ProfileContract):
    def make(self):
        return MeanProfile(context())

    def test_it_is_the_mean(self, profile):
        items = torch.eye(12)[:, :DIM]
        batch = batch_of([[0, 1], [2]], [0, 1])
        expected = torch.tensor([[1 / 2, 1 / 2, 0, 0, 0, 0, 0, 0], [0, 0, 1.0, 0, 0, 0, 0, 0]])
        assert torch.allclose(profile(batch, items, batch.history), expected)


class TestAttentionProfile(ProfileContract):
    def make(self):
        return AttentionProfile(context(), attention_dim=4)

    def test_it_equals_the_formula_of_the_paper(self, profile, items):
        batch = batch_of([[3, 1, 4]], [0])
        h = items[[3, 1, 4]]
        logits = torch.tanh(h @ profile.project.weight.T + profile.project.bias) @ profile.query.weight[0]
        weights = logits.exp() / logits.exp().sum()
        assert torch.allclose(profile(batch, items, batch.history)[0], weights @ h, atol=1e-6)

    def test_weights_sum_to_one_or_are_zero(self, profile, items):
        batch = batch_of([[3, 1, 4], []], [0, 1])
        weights = profile.weights(batch, items, batch.history)
        assert torch.allclose(weights.sum(dim=1), torch.tensor([1.0, 0.0]))


class TestRecurrentProfile(ProfileContract):
    def make(self):
        return RecurrentProfile(context(), hidden_dim=6)

    def test_order_matters(self, profile, items):
        batch = batch_of([[1, 2, 3], [3, 2, 1]], [0, 1])
        one, other = profile(batch, items, batch.history)
        assert not torch.allclose(one, other)


class TestTransformerProfile(ProfileContract):
    def make(self):
        return TransformerProfile(context(), n_layers=1, n_heads=2)

    def test_order_matters(self, profile, items):
        batch = batch_of([[1, 2, 3], [3, 2, 1]], [0, 1])
        one, other = profile(batch, items, batch.history)
        assert not torch.allclose(one, other)

    def test_heads_must_divide_the_width(self):
        with pytest.raises(ConfigError, match=r"profile\.n_heads is 3"):
            TransformerProfile(context(), n_heads=3)


class TestIdProfile(ProfileContract):
    def make(self):
        return IdProfile(context())

    def test_history_changes_nothing_and_users_differ(self, profile, items):
        batch = batch_of([[1], [2], [1]], [0, 0, 1])
        first, second, third = profile(batch, items, batch.history)
        assert torch.equal(first, second)
        assert not torch.equal(first, third)

    def test_a_user_without_train_interactions_has_zeros(self, profile, items):
        batch = batch_of([[1], [1]], [4, -1])
        assert torch.equal(profile(batch, items, batch.history), torch.zeros(2, DIM))


class TestTextProfile(ProfileContract):
    def make(self):
        return TextProfile(context())

    def test_it_is_a_projection_of_the_text_whatever_the_items(self, profile, items):
        batch = batch_of([[1, 2], []], [0, -1])
        expected = batch.text @ profile.project.weight.T + profile.project.bias
        assert torch.allclose(profile(batch, items, batch.history), expected, atol=1e-6)

    def test_gradient_reaches_its_own_projection(self, profile, items):
        batch = batch_of([[1, 2]], [0])
        profile(batch, items, batch.history).square().sum().backward()
        assert profile.project.weight.grad.abs().sum() > 0

    def test_a_user_without_a_text_is_no_vector_of_zeros(self, profile, items):
        batch = batch_of([[1, 2]], [0])
        batch.text = None
        with pytest.raises(ValueError, match=r"UserBatch\.text is None"):
            profile(batch, items, batch.history)


class TestTextProfileBesideTheMean(ProfileContract):
    def make(self):
        return TextProfile(context(), fuse="gate", other=MeanProfile)

    def test_it_equals_the_formula(self, profile, items):
        batch = batch_of([[1, 2], []], [0, 1])
        text = batch.text @ profile.project.weight.T + profile.project.bias
        mean = torch.stack([items[[1, 2]].mean(dim=0), torch.zeros(DIM)])
        gate = 1 / (1 + (-(torch.cat([text, mean], 1) @ profile.join.weight.T + profile.join.bias)).exp())
        expected = gate * text + (1 - gate) * mean
        assert torch.allclose(profile(batch, items, batch.history), expected, atol=1e-6)


class TestTextProfileBesideTheId(ProfileContract):
    def make(self):
        return TextProfile(context(), fuse="concat", other=IdProfile)

    def test_it_reads_no_items_and_tells_users_apart(self, profile, items):
        batch = batch_of([[1], [1]], [0, 1])
        first, second = profile(batch, items, batch.history)
        assert not torch.allclose(first, second)
        assert not profile.reads_history


@pytest.mark.parametrize(
    ("fuse", "other", "message"),
    [
        ("sum", None, "profile.fuse is 'sum'; expected none, concat or gate"),
        ("none", MeanProfile, "profile.fuse is none, which ignores profile.other"),
        ("gate", None, "no other profile to fuse the text with: add it, as in +profile@profile.other=mean"),
        ("gate", TextProfile, "profile.other is text"),
    ],
)
def test_fusions_without_sense_are_refused(fuse, other, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TextProfile(context(), fuse=fuse, other=other)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: AttentionProfile(context(), attention_dim=0), "profile.attention_dim"),
        (lambda: RecurrentProfile(context(), hidden_dim=0), "profile.hidden_dim"),
        (lambda: TransformerProfile(context(), n_layers=0), "profile.n_layers"),
    ],
)
def test_impossible_sizes_are_refused_by_their_key(make, key):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        make()
