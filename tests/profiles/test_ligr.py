import pytest
import torch

from recsys.profiles.ligr import LiGRProfile
from recsys.schema import ConfigError
from recsys.testing.profile_contract import DIM, ProfileContract, batch_of, context


class TestLiGRProfile(ProfileContract):
    def make(self):
        return LiGRProfile(context(), n_layers=2, n_heads=2)

    def test_one_item_equals_the_formula_of_the_paper(self, items):
        profile = LiGRProfile(context(), n_layers=1, n_heads=2).eval()
        batch, (layer,) = batch_of([[3]], [0]), profile.layers
        x, normed = items[3] + profile.positions.weight[0], torch.nn.functional.layer_norm
        value = layer.attention.project_in(normed(x, (DIM,)))[2 * DIM :]  # one item attends to itself alone
        x = x + torch.sigmoid(layer.gates[0](x)) * layer.attention.project_out(value)
        gate, inner = (layer.feed_forward.project_in.weight @ normed(x, (DIM,))).chunk(2)
        ahead = layer.feed_forward.project_out.weight @ (gate / (1 + (-gate).exp()) * inner)
        x = x + torch.sigmoid(layer.gates[1](x)) * ahead
        assert torch.allclose(profile(batch, items, batch.history)[0], normed(x, (DIM,)), atol=1e-5)

    def test_order_matters(self, profile, items):
        batch = batch_of([[1, 2, 3], [3, 2, 1]], [0, 1])
        one, other = profile(batch, items, batch.history)
        assert not torch.allclose(one, other)


@pytest.mark.parametrize("key", ["n_layers", "n_heads", "max_positions"])
def test_impossible_sizes_raise_an_error_that_names_the_key(key):
    with pytest.raises(ConfigError, match=rf"profile\.{key} is 0"):
        LiGRProfile(context(), **{key: 0})
