import pytest
import torch

from recsys.layers.transformer_blocks import state_at, transformer


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("training", [False, True])
def test_the_state_at_a_place_is_that_of_all_layers(n_layers, training):
    torch.manual_seed(0)
    layers = transformer(8, n_layers, 2, dropout=0.0).train(training)
    vectors, place = torch.randn(5, 6, 8, requires_grad=True), torch.tensor([0, 5, 3, 2, 5])
    causal = torch.arange(6) > torch.arange(6).unsqueeze(1)
    expected = layers(vectors, mask=causal)[torch.arange(5), place]
    found = state_at(layers, vectors, place)
    assert torch.allclose(found, expected, atol=1e-5)
    weights = torch.randn(5, 8)
    gradients = [torch.autograd.grad((out * weights).sum(), vectors)[0] for out in (expected, found)]
    assert torch.allclose(*gradients, atol=1e-5)
    assert float(gradients[1][2, 4:].abs().max()) == 0  # what comes after a place is not looked at
    assert float(gradients[1][2, :4].abs().min()) > 0


def test_dropout_acts_on_the_state_in_training():
    torch.manual_seed(0)
    layers, vectors = transformer(8, 1, 2, dropout=0.5), torch.randn(3, 4, 8)
    place = torch.tensor([3, 3, 3])
    assert not torch.equal(state_at(layers, vectors, place), state_at(layers, vectors, place))
