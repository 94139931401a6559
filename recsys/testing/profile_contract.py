"""The contract of profiles: a test class inherits it and defines `make`."""

from __future__ import annotations

import pytest
import torch

from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch

DIM, N_USERS, N_ITEMS, TEXT_DIM = 8, 5, 12, 6


def context() -> ModelContext:
    """Sizes of the contract's data: 5 users, of which the last is cold, and 12 items with vectors of 8 numbers."""
    return ModelContext(DIM, torch.tensor([True, True, True, True, False]), torch.arange(N_ITEMS), text_dim=TEXT_DIM)


def batch_of(histories: list[list[int]], users: list[int], width: int | None = None) -> UserBatch:
    """Users with these histories, padded to the longest one, or to `width`."""
    width = max(map(len, histories)) if width is None else width
    history = torch.zeros(len(histories), width, dtype=torch.long)
    mask = torch.zeros(len(histories), width, dtype=torch.bool)
    for row, items in enumerate(histories):
        history[row, : len(items)] = torch.tensor(items, dtype=torch.long)
        mask[row, : len(items)] = True
    return UserBatch(torch.tensor(users), history, mask, torch.stack([text_of(items) for items in histories]))


def text_of(history: list[int]) -> torch.Tensor:
    """A random vector (TEXT_DIM,) for each history, in place of an encoded text."""
    return torch.randn(TEXT_DIM, generator=torch.Generator().manual_seed(hash(tuple(history)) % 2**31))


class ProfileContract:
    """Tests of any profile."""

    def make(self) -> Profile:
        """A new profile for the sizes of `context()`."""
        raise NotImplementedError

    @pytest.fixture
    def profile(self) -> Profile:
        return self.make().eval()

    @pytest.fixture
    def items(self) -> torch.Tensor:
        return torch.randn(N_ITEMS, DIM)

    def test_other_users_of_the_batch_change_nothing(self, profile: Profile, items: torch.Tensor) -> None:
        alone = batch_of([[1, 2, 3]], [0])
        together = batch_of([[1, 2, 3], [9, 8, 7, 6], []], [0, 1, 2])
        expected = profile(alone, items, alone.history)[0]
        assert torch.allclose(profile(together, items, together.history)[0], expected, atol=1e-6)

    def test_padding_changes_nothing(self, profile: Profile, items: torch.Tensor) -> None:
        tight, loose = batch_of([[1, 2, 3]], [0]), batch_of([[1, 2, 3]], [0], width=9)
        expected = profile(tight, items, tight.history)
        assert torch.allclose(profile(loose, items, loose.history), expected, atol=1e-6)

    def test_an_empty_history_has_a_finite_vector_with_and_without_columns(
        self, profile: Profile, items: torch.Tensor
    ) -> None:
        wide, narrow = batch_of([[]], [4], width=3), batch_of([[]], [4], width=0)
        expected = profile(wide, items, wide.history)
        assert torch.isfinite(expected).all()
        assert torch.allclose(profile(narrow, items, narrow.history), expected)

    def test_a_new_user_has_a_finite_vector(self, profile: Profile, items: torch.Tensor) -> None:
        batch = batch_of([[1, 2]], [-1])
        assert torch.isfinite(profile(batch, items, batch.history)).all()

    def test_who_the_user_is_changes_the_vector_where_it_says_so(self, profile: Profile, items: torch.Tensor) -> None:
        for parameter in profile.parameters():
            torch.nn.init.normal_(parameter)
        one, other = batch_of([[1, 2]], [0]), batch_of([[1, 2]], [1])
        same = torch.equal(profile(one, items, one.history), profile(other, items, other.history))
        assert same != profile.reads_user

    def test_gradient_reaches_the_items_of_the_history_and_no_others(
        self, profile: Profile, items: torch.Tensor
    ) -> None:
        items.requires_grad_()
        batch = batch_of([[1, 2, 3], []], [0, 1])
        profile(batch, items, batch.history).square().sum().backward()
        touched = torch.zeros(N_ITEMS, dtype=torch.bool)
        touched[[1, 2, 3]] = profile.reads_history
        gradient = torch.zeros(N_ITEMS, DIM) if items.grad is None else items.grad
        assert torch.equal(gradient.abs().sum(dim=1) > 0, touched)
