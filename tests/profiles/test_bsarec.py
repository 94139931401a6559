import numpy as np
import pytest
import torch

from recsys.layers.frequency import BSARecLayer
from recsys.profiles.bsarec import BSARecProfile
from recsys.schema import ConfigError
from recsys.testing.profile_contract import DIM, N_ITEMS, ProfileContract, batch_of, context


def norm(x):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def filtered(x, beta, period, n_frequencies):
    """The paper's filter of x (L, dim), padded with zeros at the left to `period`."""
    padded = np.concatenate([np.zeros((period - len(x), x.shape[1])), x])
    spectrum = np.fft.rfft(padded, axis=0, norm="ortho")
    spectrum[n_frequencies:] = 0
    low = np.fft.irfft(spectrum, n=period, axis=0, norm="ortho")
    return norm(padded + low + beta**2 * (padded - low))[period - len(x) :]


class TestBSARecProfile(ProfileContract):
    def make(self):
        return BSARecProfile(context(), n_layers=2, n_heads=2)

    @pytest.mark.parametrize(("period", "n_frequencies"), [(5, 2), (6, 4), (3, 1)])
    def test_it_equals_the_formula_of_the_paper(self, items, period, n_frequencies):
        profile = BSARecProfile(context(), 1, 1, period, n_frequencies, alpha=0.7).eval()
        batch = batch_of([[9, 3, 1, 4]], [0])
        weights = {name: value.detach().double().numpy() for name, value in profile.named_parameters()}

        def linear(name, x):
            return x @ weights[f"layers.0.{name}.weight"].T + weights[f"layers.0.{name}.bias"]

        n = min(4, period)  # older items are not read
        x = norm(items[[9, 3, 1, 4][-n:]].double().numpy() + weights["positions.weight"][n - 1 :: -1])
        q, k, v = np.split(linear("attention.project_in", x), 3, axis=1)
        scores = np.where(np.tri(n) > 0, np.exp(q @ k.T / np.sqrt(DIM)), 0)
        attended = norm(x + linear("attention.project_out", scores / scores.sum(axis=1, keepdims=True) @ v))
        mixed = 0.7 * filtered(x, weights["layers.0.filter.beta"], period, n_frequencies) + 0.3 * attended
        inner = torch.nn.functional.gelu(torch.from_numpy(linear("widen", mixed))).numpy()
        expected = norm(mixed + linear("narrow", inner))[-1]
        assert np.allclose(profile(batch, items, batch.history)[0].detach().numpy(), expected, atol=1e-4)

    def test_the_last_layer_at_the_newest_item_equals_the_layer_at_all_items(self, items, monkeypatch):
        profile, batch = (
            BSARecProfile(context(), n_layers=2).eval(),
            batch_of([[9, 3, 1], [], [2, 4, 6, 8, 5]], [0, 1, 2]),
        )
        only_newest = profile(batch, items, batch.history)
        everywhere = BSARecLayer.forward

        def then_taken(layer, vectors, known, mask, at=None):
            states = everywhere(layer, vectors, known, mask)
            return states if at is None else states.take_along_dim(at.unsqueeze(-1), 1)

        monkeypatch.setattr(BSARecLayer, "forward", then_taken)
        assert torch.allclose(only_newest, profile(batch, items, batch.history), atol=1e-5)

    def test_items_before_the_last_positions_change_nothing(self, items):
        profile = BSARecProfile(context(), max_positions=3, n_frequencies=2).eval()
        one, other = batch_of([[7, 1, 2, 3]], [0]), batch_of([[1, 2, 3]], [0])
        vectors = [profile(batch, items, batch.history) for batch in (one, other)]
        assert torch.allclose(*vectors, atol=1e-6)

    def test_gradients_are_finite_where_histories_are_empty(self, items):
        profile, batch = BSARecProfile(context()), batch_of([[], list(range(N_ITEMS))], [0, 1])
        profile(batch, items, batch.history)[:, 0].sum().backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in profile.parameters())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_layers": 0}, r"profile\.n_layers is 0"),
        ({"n_heads": 3}, r"profile\.n_heads is 3"),
        ({"max_positions": 0}, r"profile\.max_positions is 0"),
        ({"n_frequencies": 27}, r"profile\.n_frequencies is 27; expected 1 to 26"),
        ({"alpha": 1.1}, r"profile\.alpha is 1\.1"),
    ],
)
def test_impossible_values_raise_an_error_that_names_the_key(setting, message):
    with pytest.raises(ConfigError, match=message):
        BSARecProfile(context(), **setting)
