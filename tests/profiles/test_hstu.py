import pytest
import torch

from recsys.profiles.hstu import HSTUProfile
from recsys.schema import ConfigError
from recsys.testing.profile_contract import DIM, ProfileContract, batch_of, context


def silu(x):
    return x / (1 + (-x).exp())


class TestHSTUProfile(ProfileContract):
    def make(self):
        return HSTUProfile(context(), n_layers=2, n_heads=2)

    def test_it_equals_the_formula_of_the_paper(self, items):
        profile = HSTUProfile(context(), n_layers=1, n_heads=1, max_positions=4).eval()
        batch, (layer,), normed = batch_of([[3, 5]], [0]), profile.layers, torch.nn.functional.layer_norm
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter)
        x = items[[3, 5]] + profile.positions.weight[:2]
        layer.norm_in.reset_parameters()
        layer.norm_attended.reset_parameters()
        u, v, q, k = silu(normed(x, (DIM,), eps=1e-6) @ layer.project_in.weight.T).chunk(4, dim=1)
        bias = layer.distance_bias
        attended = (silu(q[1] @ k[0] + bias[1]) * v[0] + silu(q[1] @ k[1] + bias[0]) * v[1]) / 4
        newest = x[1] + layer.project_out(u[1] * normed(attended, (DIM,), eps=1e-6))
        assert torch.allclose(profile(batch, items, batch.history)[0], normed(newest, (DIM,)), atol=1e-4)

    def test_order_matters(self, profile, items):
        batch = batch_of([[1, 2, 3], [3, 2, 1]], [0, 1])
        one, other = profile(batch, items, batch.history)
        assert not torch.allclose(one, other)


@pytest.mark.parametrize("key", ["n_layers", "n_heads", "max_positions"])
def test_impossible_sizes_raise_an_error_that_names_the_key(key):
    with pytest.raises(ConfigError, match=rf"profile\.{key} is 0"):
        HSTUProfile(context(), **{key: 0})
