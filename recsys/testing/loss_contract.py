"""The contracts of losses: a test class inherits one of them and defines `make`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recsys.training.module import Loss

N_POSITIVES, N_NEGATIVES = 6, 5  # B and N


def scores(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random scores of positives (B,) and negatives (B, N), and a mask (B, N) that is False in the whole first row."""
    generator = torch.Generator().manual_seed(seed)
    positive = torch.randn(N_POSITIVES, generator=generator)
    negative = torch.randn(N_POSITIVES, N_NEGATIVES, generator=generator)
    mask = torch.rand(N_POSITIVES, N_NEGATIVES, generator=generator) < 0.7
    mask[0] = False
    return positive, negative, mask


def gradients(loss: Loss, positive: Tensor, negative: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loss (), and its gradients for the scores of the positives (B,) and of the negatives (B, N)."""
    positive, negative = positive.clone().requires_grad_(), negative.clone().requires_grad_()
    value = loss(positive, negative, mask)
    own, others = torch.autograd.grad(value, (positive, negative))
    return value.detach(), own, others


class LossContract:
    """Tests of any loss over positives and their negatives."""

    def make(self) -> Loss:
        """A function of `positive` (B,), `negative` (B, N) and `mask` (B, N); the result is the loss of the batch."""
        raise NotImplementedError

    @pytest.fixture
    def loss(self) -> Loss:
        return self.make()

    def test_it_is_one_finite_number_with_finite_gradients(self, loss: Loss) -> None:
        value, own, others = gradients(loss, *scores())
        assert value.shape == ()
        assert torch.isfinite(value)
        assert torch.isfinite(own).all()
        assert torch.isfinite(others).all()

    def test_a_higher_positive_and_lower_negatives_make_it_smaller(self, loss: Loss) -> None:
        positive, negative, mask = scores()
        _, own, others = gradients(loss, positive, negative, mask)
        assert (own <= 0).all()
        assert (others >= 0).all()
        assert own[1:].sum() < 0
        assert others.sum() > 0
        assert loss(positive + 1, negative, mask) < loss(positive, negative, mask)

    def test_masked_negatives_change_nothing(self, loss: Loss) -> None:
        positive, negative, mask = scores()
        _, _, others = gradients(loss, positive, negative, mask)
        assert (others[~mask] == 0).all()
        changed = torch.where(mask, negative, 50.0)
        torch.testing.assert_close(loss(positive, changed, mask), loss(positive, negative, mask))

    def test_the_order_of_negatives_and_of_examples_changes_nothing(self, loss: Loss) -> None:
        positive, negative, mask = scores()
        expected = loss(positive, negative, mask)
        torch.testing.assert_close(loss(positive, negative.flip(1), mask.flip(1)), expected)
        torch.testing.assert_close(loss(positive.flip(0), negative.flip(0), mask.flip(0)), expected)

    def test_it_is_a_mean_so_that_a_repeated_batch_has_the_same_loss(self, loss: Loss) -> None:
        twice = [torch.cat([part, part]) for part in scores()]
        torch.testing.assert_close(loss(*twice), loss(*scores()))

    def test_a_batch_without_any_negative_has_a_finite_loss(self, loss: Loss) -> None:
        positive, negative, mask = scores()
        value, own, others = gradients(loss, positive, negative, torch.zeros_like(mask))
        assert torch.isfinite(value)
        assert torch.isfinite(own).all()
        assert (others == 0).all()

    @pytest.mark.parametrize("size", [-200.0, 200.0])
    def test_extreme_scores_have_a_finite_loss_and_finite_gradients(self, loss: Loss, size: float) -> None:
        positive, negative, mask = scores()
        for part in gradients(loss, positive + size, negative - size, mask):
            assert torch.isfinite(part).all()

    def test_its_inputs_are_left_as_they_are(self, loss: Loss) -> None:
        given = scores()
        loss(*given)
        assert all(torch.equal(own, expected) for own, expected in zip(given, scores(), strict=True))


class UserLossContract:
    """Tests of any user-level reconstruction loss."""

    def make(self) -> Loss:
        """A function of `scores` (B, n_items), `history` (B, L) and `history_mask` (B, L); the result is the loss."""
        raise NotImplementedError

    @pytest.fixture
    def loss(self) -> Loss:
        return self.make()

    @pytest.fixture
    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (3, 7) and histories of 3, 1 and 0 items."""
        history = torch.tensor([[4, 0, 6], [2, 0, 0], [0, 0, 0]])
        return torch.randn(3, 7), history, torch.arange(3) < torch.tensor([[3], [1], [0]])

    def test_it_is_one_finite_number_with_finite_gradients(
        self, loss: Loss, batch: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        made, history, mask = batch
        value = loss(made.requires_grad_(), history, mask)
        (gradient,) = torch.autograd.grad(value, made)
        assert value.shape == ()
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()

    def test_higher_scores_of_the_history_make_it_smaller(
        self, loss: Loss, batch: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        made, history, mask = batch
        higher = made.clone()
        higher[0, history[0]] += 1
        assert loss(higher, history, mask) < loss(made, history, mask)

    def test_padding_and_the_order_of_the_history_change_nothing(
        self, loss: Loss, batch: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        made, history, mask = batch
        expected = loss(made, history, mask)
        padded = torch.cat([history, torch.full((3, 2), 5)], dim=1), torch.cat([mask, torch.zeros(3, 2).bool()], dim=1)
        torch.testing.assert_close(loss(made, *padded), expected)
        torch.testing.assert_close(loss(made, history.flip(1), mask.flip(1)), expected)

    def test_it_is_a_mean_so_that_a_repeated_batch_has_the_same_loss(
        self, loss: Loss, batch: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        torch.testing.assert_close(loss(*(torch.cat([part, part]) for part in batch)), loss(*batch))
