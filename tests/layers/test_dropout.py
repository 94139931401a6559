import pytest
import torch

from recsys.layers.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_is_dropped_and_the_mean_is_kept(p):
    torch.manual_seed(0)
    out = Dropout(p)(torch.ones(401, 999))  # no multiple of the entries that one random number serves
    assert float((out == 0).float().mean()) == pytest.approx(p, abs=0.005)
    assert float(out.mean()) == pytest.approx(1, abs=0.02)
    assert float(out.max()) == pytest.approx(1 / (1 - p), rel=1e-4)
    assert torch.equal((out == 0).any(dim=0), torch.ones(999, dtype=torch.bool))  # every place has its turn


def test_draws_follow_the_seed_and_differ_from_one_another():
    dropout, masks = Dropout(0.5), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(dropout(torch.ones(64)))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert not torch.equal(dropout(torch.ones(64)), dropout(torch.ones(64)))


def test_the_gradient_is_that_of_what_was_kept():
    vector = torch.ones(100, requires_grad=True)
    out = Dropout(0.5)(vector)
    out.sum().backward()
    assert torch.equal(vector.grad, out)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_nothing_is_dropped_in_evaluation(p):
    assert torch.equal(Dropout(p).eval()(torch.ones(5)), torch.ones(5))


def test_all_or_nothing():
    assert torch.equal(Dropout(0.0)(torch.ones(5)), torch.ones(5))
    assert torch.equal(Dropout(1.0)(torch.ones(5)), torch.zeros(5))
    assert Dropout(0.5)(torch.ones(0, 3)).shape == (0, 3)
