import math
from functools import partial

import pytest
import torch

from recsys.schema import ConfigError
from recsys.training.losses import (
    CACHED_SCORES,
    SoftLabels,
    bce,
    bpr,
    distil,
    full_softmax,
    gbce,
    infonce,
    sampled_softmax,
)


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


@pytest.mark.parametrize("loss", [bpr, bce])
def test_masked_negatives_add_nothing_to_the_mean(loss):
    mask = torch.tensor([[True, False]])
    # Equal scores of the positive and the only unmasked negative: each term is log 2.
    assert loss(torch.zeros(1), torch.tensor([[0.0, 5.0]]), mask).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
def test_gbce_is_the_papers_formula(t):
    positive, negatives, n_items = [0.5, -1.0], [[2.0, -1.0], [0.0, 3.0]], 21
    alpha = 2 / 20
    beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)
    losses = [
        -(math.log(sigmoid(own) ** beta) + sum(math.log(1 - sigmoid(score)) for score in others)) / 3
        for own, others in zip(positive, negatives, strict=True)
    ]
    mask = torch.ones(2, 2, dtype=torch.bool)
    made = gbce(torch.tensor(positive), torch.tensor(negatives), mask, n_items=n_items, t=t)
    assert made.item() == pytest.approx(sum(losses) / 2, abs=1e-6)


def test_gbce_with_the_whole_correction_is_least_at_the_probability_of_no_sampling():
    # One user, 5 items: an item is the positive with p = 0.4, and one other is drawn with probability 1/4. At the least
    # of β p log σ(s) + (1 − p)/4 log(1 − σ(s)) with β = 1/4, σ(s) is p, where bce (t = 0) says 0.4 / (0.4 + 0.15).
    scores = torch.logit(torch.linspace(0.01, 0.99, 99)).unsqueeze(1)
    nothing = torch.zeros(1), torch.full((1, 1), -100.0)
    real = torch.tensor([[True]])
    for t, least in ((1.0, 0.40), (0.0, 0.73)):
        as_positive = torch.stack([gbce(score, nothing[1], real, 5, t) for score in scores])
        as_negative = torch.stack([gbce(torch.tensor([100.0]), score.unsqueeze(0), real, 5, t) for score in scores])
        expected = 0.4 * as_positive + 0.6 / 4 * as_negative
        assert torch.sigmoid(scores[expected.argmin()]).item() == pytest.approx(least, abs=0.006)


@pytest.mark.parametrize("n_items", [1, 2])
def test_gbce_with_as_many_negatives_as_items_is_bce_over_all_terms(n_items):
    positive, negative = torch.tensor([0.5]), torch.tensor([[-1.0, 2.0][:n_items]])
    expected = -math.log(sigmoid(0.5)) - sum(math.log(1 - sigmoid(score)) for score in negative[0].tolist())
    found = gbce(positive, negative, torch.ones_like(negative, dtype=torch.bool), n_items=n_items, t=1.0)
    assert found.item() == pytest.approx(expected / (n_items + 1))


def test_gbce_leaves_masked_negatives_out():
    negatives, mask = torch.tensor([[1.0, 50.0]]), torch.tensor([[True, False]])
    # k = 2 of 4 others are drawn, so β = 1 − 0.75/2; one of them counts.
    expected = ((1 - 0.75 / 2) * math.log(2) + math.log(1 + math.e)) / 2
    assert gbce(torch.tensor([0.0]), negatives, mask, n_items=5).item() == pytest.approx(expected, abs=1e-6)


def test_gbce_refuses_an_impossible_t():
    with pytest.raises(ConfigError, match=r"^loss\.t is 2; expected a finite number from 0 to 1\.$"):
        gbce(torch.zeros(1), torch.zeros(1, 1), torch.ones(1, 1).bool(), n_items=3, t=2)


@pytest.mark.parametrize("width", [7, CACHED_SCORES // 3, CACHED_SCORES + 1])
def test_full_softmax_and_its_gradient_are_those_of_softmax(width):
    generator = torch.Generator().manual_seed(0)
    positive = 5 * torch.randn(8, generator=generator)
    negative = 5 * torch.randn(8, width, generator=generator)
    mask = torch.rand(8, width, generator=generator) < 0.9
    mask[3] = False  # nothing is a negative
    negative[4, 0], mask[4, 0] = 1000.0, True  # whose exponent is no number of 32 bits
    made = [_with_gradients(loss, positive, negative, mask) for loss in (full_softmax, sampled_softmax)]
    for own, expected in zip(*made, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-7)


def test_full_softmax_of_distinct_users_is_that_of_their_rows_repeated():
    generator = torch.Generator().manual_seed(0)
    rows = torch.tensor([2, 0, 0, 1, 2, 0])
    positive, negative = torch.randn(6, generator=generator), torch.randn(3, 9, generator=generator)
    mask = torch.rand(3, 9, generator=generator) < 0.7
    own = _with_gradients(partial(full_softmax, rows=rows), positive, negative, mask)
    repeated = _with_gradients(sampled_softmax, positive, negative[rows], mask[rows])
    torch.testing.assert_close(own[:2], repeated[:2])
    torch.testing.assert_close(own[2], torch.zeros(3, 9).index_add_(0, rows, repeated[2]))


def test_full_softmax_of_16_bits_is_summed_in_32():
    scores = torch.zeros(1, 5000, dtype=torch.bfloat16)
    loss = full_softmax(torch.zeros(1, dtype=torch.bfloat16), scores, torch.ones(1, 5000).bool())
    assert loss.item() == pytest.approx(math.log(5001), rel=1e-6)


def _with_gradients(loss, *tensors):
    positive, negative = (tensor.clone().requires_grad_() for tensor in tensors[:2])
    value = loss(positive, negative, tensors[2])
    (3 * value).backward()
    return value.detach(), positive.grad, negative.grad


def test_infonce_is_cross_entropy_of_scores_over_the_temperature():
    generator = torch.Generator().manual_seed(3)
    positive, negative = torch.randn(5, generator=generator), torch.randn(5, 4, generator=generator)
    logits = torch.cat([positive.unsqueeze(1), negative], dim=1) / 0.3
    expected = torch.nn.functional.cross_entropy(logits, torch.zeros(5, dtype=torch.long))
    made = infonce(positive, negative, torch.ones(5, 4).bool(), temperature=0.3)
    assert torch.isclose(made, expected)


def test_infonce_refuses_a_temperature_of_zero():
    with pytest.raises(ConfigError, match=r"^loss\.temperature is 0; expected a finite number above 0\.$"):
        infonce(torch.zeros(1), torch.zeros(1, 1), torch.ones(1, 1).bool(), temperature=0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_distil_is_the_weighted_sum_of_torchs_divergence_and_the_sampled_softmax(temperature):
    generator = torch.Generator().manual_seed(0)
    positive, negative, student, teacher = (torch.randn(4, n, generator=generator) for n in (1, 3, 5, 5))
    mask = torch.ones(4, 3, dtype=torch.bool)
    made = distil(
        positive[:, 0], negative, mask, SoftLabels(student, teacher, torch.ones(4, 5).bool()), temperature, 0.3
    )
    logs, targets = (student / temperature).log_softmax(1), (teacher / temperature).softmax(1)
    soft = torch.nn.functional.kl_div(logs, targets, reduction="batchmean")
    hard = sampled_softmax(positive[:, 0], negative, mask)
    torch.testing.assert_close(made, 0.3 * temperature**2 * soft + 0.7 * hard)


def test_distil_by_hand():
    """The teacher has 3/4 and 1/4, the model one half each: KL = 3/4 log(3/2) + 1/4 log(1/2)."""
    teacher = torch.tensor([[3.0, 1.0, 9.0]]).log()
    soft = SoftLabels(torch.tensor([[1.0, 1.0, 7.0]]), teacher, torch.tensor([[True, True, False]]))
    made = distil(torch.zeros(1), torch.zeros(1, 1), torch.ones(1, 1).bool(), soft, temperature=1.0, weight=1.0)
    assert made.item() == pytest.approx(3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2), abs=1e-6)


def test_an_example_without_candidates_has_no_soft_labels_and_finite_gradients():
    student = torch.zeros(2, 2, requires_grad=True)
    mask = torch.tensor([[True, False], [False, False]])
    teacher = torch.tensor([[1.0, -torch.inf], [-torch.inf, -torch.inf]])
    made = distil(
        torch.zeros(2), torch.zeros(2, 1), torch.ones(2, 1).bool(), SoftLabels(student, teacher, mask), 2.0, 0.5
    )
    (gradient,) = torch.autograd.grad(made, student)
    assert made.item() == pytest.approx(math.log(2) / 2)
    assert gradient.abs().max() == 0
