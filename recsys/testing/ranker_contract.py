"""The contract of rankers: a test class inherits it and defines `make`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recsys.rankers.base import Explainable, Factorised, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ModelContext, TrainInteractions, UserBatch

DIM, N_USERS, N_ITEMS = 8, 4, 30


def context() -> ModelContext:
    """Sizes of the contract's data: 4 users and 30 items, the last of each without train interactions."""
    counts = torch.arange(N_ITEMS).flip(0)  # the last item is cold
    return ModelContext(DIM, torch.tensor([True, True, True, False]), counts)


def user_side(idx: tuple[int, ...] = (0, 1, 2, 3)) -> UserSide:
    """Users of the contract: histories of 3, 2, 4 and 0 items, and random profile vectors (4, DIM)."""
    vectors = torch.randn(N_USERS, DIM, generator=torch.Generator().manual_seed(1))[list(idx)]
    history = torch.tensor([[3, 8, 1, 0], [0, 2, 0, 0], [5, 6, 7, 29], [0, 0, 0, 0]])[list(idx)]
    lengths = torch.tensor([3, 2, 4, 0])[list(idx)]
    return UserSide(UserBatch(torch.tensor(idx), history, torch.arange(4) < lengths.unsqueeze(1)), vectors)


def train(text_dim: int = 0) -> TrainInteractions:
    """Random train interactions of the first three users and of all items but the last."""
    rng = np.random.default_rng(4)
    users, items = np.nonzero(rng.random((N_USERS - 1, N_ITEMS - 1)) < 0.4)
    text = rng.standard_normal((N_ITEMS, text_dim)).astype(np.float32)
    return TrainInteractions(users, items, rng.integers(0, 10**6, len(users)), N_USERS, N_ITEMS, text)


def catalogue() -> SharedItems:
    """All items of the contract, with random vectors (30, DIM)."""
    return SharedItems(torch.arange(N_ITEMS), torch.randn(N_ITEMS, DIM, generator=torch.Generator().manual_seed(2)))


class RankerContract:
    """Tests of any ranker, and of each protocol that it has: `Factorised`, `Explainable`."""

    def make(self) -> Ranker:
        """A new ranker for the sizes of `context()`; a `Fittable` one is fitted on `train()`."""
        raise NotImplementedError

    @pytest.fixture
    def ranker(self) -> Ranker:
        torch.manual_seed(3)
        made = self.make().eval()
        for parameter in made.parameters():  # biases that begin at zero would hide an error
            torch.nn.init.normal_(parameter, std=0.5)
        return made

    def test_scores_of_pairs_equal_those_of_the_catalogue(self, ranker: Ranker) -> None:
        items = catalogue()
        rows = torch.tensor([[3, 29, 0], [5, 5, 7], [1, 2, 3], [9, 8, 7]])
        pairs = ranker.score(user_side(), OwnItems(rows, items.vectors, rows))
        assert torch.allclose(ranker.score_catalogue(user_side(), items).gather(1, rows), pairs, atol=1e-5)

    def test_candidate_order_changes_nothing(self, ranker: Ranker) -> None:
        items, order = catalogue(), torch.randperm(N_ITEMS)
        shuffled = SharedItems(items.idx[order], items.vectors[order])
        expected = ranker.score_catalogue(user_side(), items)[:, order]
        assert torch.allclose(ranker.score_catalogue(user_side(), shuffled), expected, atol=1e-5)

    def test_other_users_of_the_batch_change_nothing(self, ranker: Ranker) -> None:
        expected = ranker.score_catalogue(user_side(), catalogue())[[2]]
        assert torch.allclose(ranker.score_catalogue(user_side((2,)), catalogue()), expected, atol=1e-5)

    def test_gradient_is_finite(self, ranker: Ranker) -> None:
        users, items = user_side(), catalogue()
        users.vectors.requires_grad_()
        total = ranker.score_catalogue(users, items).square().sum()
        if total.requires_grad:
            total.backward()
            assert all(torch.isfinite(p.grad).all() for p in ranker.parameters() if p.grad is not None)
        assert torch.isfinite(total)

    def test_a_new_user_is_scored(self, ranker: Ranker) -> None:
        users = user_side()
        users.batch.idx = torch.full((N_USERS,), -1)
        assert torch.isfinite(ranker.score_catalogue(users, catalogue())).all()

    def test_the_users_index_is_read_if_the_ranker_says_so(self, ranker: Ranker) -> None:
        expected, users = ranker.score_catalogue(user_side(), catalogue()), user_side()
        users.batch.idx = torch.tensor([1, 2, 0, 3])
        assert torch.equal(ranker.score_catalogue(users, catalogue()), expected) != ranker.reads_user

    def test_repeated_vectors_in_the_table_change_nothing(self, ranker: Ranker) -> None:
        """A table may hold each item once, or once for each pair."""
        items, rows = catalogue(), torch.tensor([[3, 29, 0], [5, 5, 7], [1, 2, 3], [9, 8, 7]])
        repeated = OwnItems(rows, items.vectors[rows].flatten(0, 1), torch.arange(rows.numel()).view(rows.shape))
        expected = ranker.score(user_side(), OwnItems(rows, items.vectors, rows))
        assert torch.allclose(ranker.score(user_side(), repeated), expected, atol=1e-5)

    def test_products_of_factors_are_the_scores(self, ranker: Ranker) -> None:
        if isinstance(ranker, Factorised):
            products = ranker.user_factors_of(user_side()) @ ranker.item_factors_of(catalogue()).T
            assert torch.allclose(products, ranker.score_catalogue(user_side(), catalogue()), atol=1e-4)

    def test_linear_factors_of_a_mean_are_the_mean_of_the_factors(self, ranker: Ranker) -> None:
        if isinstance(ranker, Factorised) and not ranker.reads_history:
            one, two, mean = user_side(), user_side(), user_side()
            two.vectors = one.vectors.flip(1) * 3
            mean.vectors = (one.vectors + two.vectors) / 2
            factors = [ranker.user_factors_of(each) for each in (one, two, mean)]
            assert torch.allclose((factors[0] + factors[1]) / 2, factors[2], atol=1e-5) == ranker.is_linear

    def test_weights_of_the_history_add_up_to_the_score(self, ranker: Ranker) -> None:
        if isinstance(ranker, Explainable):
            batch = user_side().batch
            items = torch.arange(N_ITEMS).expand(N_USERS, -1)
            weights = ranker.item_weights(batch.history, items) * batch.history_mask.unsqueeze(2)
            assert torch.allclose(weights.sum(dim=1), ranker.score_catalogue(user_side(), catalogue()), atol=1e-4)
