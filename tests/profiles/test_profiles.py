import re

import pytest
import torch

from recsys.profiles.attention import AttentionProfile
from recsys.profiles.bidirectional import BidirectionalProfile
from recsys.profiles.id import IdProfile
from recsys.profiles.mean import MeanProfile
from recsys.profiles.recurrent import RecurrentProfile
from recsys.profiles.self_attention import SelfAttentionProfile
from recsys.profiles.text import TextProfile
from recsys.profiles.transformer import TransformerProfile
from recsys.schema import ConfigError, Positions
from recsys.testing.profile_contract import DIM, ProfileContract, batch_of, context


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


class TestSelfAttentionProfile(ProfileContract):
    def make(self):
        return SelfAttentionProfile(context(), n_heads=2, attention_dim=4)

    def test_it_equals_the_formula_of_the_paper(self, profile, items):
        batch, h = batch_of([[3, 1, 4]], [0]), items[[3, 1, 4]]
        inner = profile.attention
        for parameter in profile.parameters():
            torch.nn.init.normal_(parameter)
        q, k, v = (h @ inner.in_proj_weight.T + inner.in_proj_bias).chunk(3, dim=1)
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            exp = (q[:, head] @ k[:, head].T / 2).exp()  # √4 = 2
            heads.append(exp / exp.sum(dim=1, keepdim=True) @ v[:, head])
        h = torch.cat(heads, dim=1) @ inner.out_proj.weight.T + inner.out_proj.bias
        logits = torch.tanh(h @ profile.project.weight.T + profile.project.bias) @ profile.query.weight[0]
        expected = logits.exp() / logits.exp().sum() @ h
        assert torch.allclose(profile(batch, items, batch.history)[0], expected, atol=1e-5)

    def test_heads_must_divide_the_width(self):
        with pytest.raises(ConfigError, match=r"profile\.n_heads is 3"):
            SelfAttentionProfile(context(), n_heads=3)


class TestRecurrentProfile(ProfileContract):
    def make(self):
        return RecurrentProfile(context(), hidden_dim=6)

    def test_order_matters(self, profile, items):
        batch = batch_of([[1, 2, 3], [3, 2, 1]], [0, 1])
        one, other = profile(batch, items, batch.history)
        assert not torch.allclose(one, other)


class TestRecurrentProfileThatStartsFromTheUser(ProfileContract):
    def make(self):
        return RecurrentProfile(context(), hidden_dim=6, n_layers=2, user_state=True)

    def test_it_equals_the_grus_formula_from_the_users_vector_on(self, items):
        profile = RecurrentProfile(context(), hidden_dim=6, user_state=True).eval()
        batch, gru = batch_of([[3]], [1]), profile.gru
        x, h = items[3], profile.starts.weight[1]
        inner = (gru.weight_ih_l0 @ x + gru.bias_ih_l0).chunk(3)
        outer = (gru.weight_hh_l0 @ h + gru.bias_hh_l0).chunk(3)
        reset, update = torch.sigmoid(inner[0] + outer[0]), torch.sigmoid(inner[1] + outer[1])
        state = (1 - update) * torch.tanh(inner[2] + reset * outer[2]) + update * h
        expected = profile.project(state)
        assert torch.allclose(profile(batch, items, batch.history)[0], expected, atol=1e-6)

    def test_the_user_alone_speaks_where_there_is_no_history(self, profile, items):
        batch = batch_of([[], [], [], []], [0, 1, 4, -1], width=2)
        known, other, cold, new = profile(batch, items, batch.history)
        assert not torch.allclose(known, other)
        assert torch.equal(cold, new)

    def test_a_share_of_users_starts_from_zeros_in_training(self, items):
        profile = RecurrentProfile(context(), user_state=True, user_dropout=0.5).train()
        starts = profile._starts(torch.zeros(1000, dtype=torch.long))[0]
        dropped = (starts == 0).all(dim=1)
        assert 0.4 < dropped.float().mean() < 0.6
        assert torch.allclose(starts[~dropped], 2 * profile.starts.weight[0])


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


class TestTransformerProfileThatCountsFromTheOldest(ProfileContract):
    def make(self):
        return TransformerProfile(context(), n_layers=1, n_heads=2, count_from="oldest")


class TestBidirectionalProfile(ProfileContract):
    def make(self):
        return BidirectionalProfile(context(), n_layers=1, n_heads=2)

    def test_a_blank_is_filled_from_both_sides_and_its_item_is_not_read(self, profile, items):
        batch = batch_of([[1, 2, 3, 4]], [0])
        batch.positions = Positions(torch.tensor([0, 0]), torch.tensor([1, 3]))
        expected = profile.at_positions(batch, items, batch.history)
        hidden = batch_of([[1, 9, 3, 8]], [0])
        hidden.positions = batch.positions
        assert torch.equal(profile.at_positions(hidden, items, hidden.history), expected)
        later = batch_of([[1, 2, 9, 4]], [0])
        later.positions = batch.positions
        assert not torch.allclose(profile.at_positions(later, items, later.history)[0], expected[0])

    def test_serving_is_a_blank_after_the_history(self, profile, items):
        whole, served = batch_of([[1, 2, 3, 4]], [0]), batch_of([[1, 2, 3]], [0])
        whole.positions = Positions(torch.tensor([0]), torch.tensor([3]))
        expected = profile.at_positions(whole, items, whole.history)
        assert torch.allclose(profile(served, items, served.history), expected, atol=1e-6)


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
        (lambda: TransformerProfile(context(), count_from="left"), "profile.count_from"),
        (lambda: BidirectionalProfile(context(), mask_share=0), "profile.mask_share"),
    ],
)
def test_impossible_sizes_are_refused_by_their_key(make, key):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        make()
