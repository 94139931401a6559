"""The contract of negative samplers: a test class inherits it and defines `make`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from recsys.schema import ModelContext, TrainBatch, UserBatch
from recsys.training.negatives import KnownPositives, Negatives, NegativeSampler

N_USERS, N_ITEMS = 4, 9
# Train items of each user. User 2 has all train items; item 8 has no train interaction.
TRAIN = ((0, 1, 2), (0, 5), (0, 1, 2, 3, 4, 5, 6, 7), (6, 7))


def context() -> ModelContext:
    """Sizes of the contract's data."""
    counts = torch.bincount(torch.tensor([item for items in TRAIN for item in items]), minlength=N_ITEMS)
    return ModelContext(4, torch.ones(N_USERS, dtype=torch.bool), counts)


def known() -> KnownPositives:
    """The train positives."""
    pairs = torch.tensor([(user, item) for user, items in enumerate(TRAIN) for item in items])
    return KnownPositives(pairs[:, 0], pairs[:, 1], N_USERS, N_ITEMS)


def examples(first: int = 0, last: int = 15) -> TrainBatch:
    """The train interactions from `first` to `last` as examples, with two shown items if two are no train positives."""
    pairs = torch.tensor([(user, item) for user, items in enumerate(TRAIN) for item in items])[first:last]
    others = [[item for item in range(N_ITEMS - 1) if item not in items][:2] for items in TRAIN]
    shown = torch.tensor([[*items, 0, 0][:2] for items in others])[pairs[:, 0]]
    mask = torch.tensor([len(items) >= 2 for items in others])[pairs[:, 0]].unsqueeze(1).expand(-1, 2)
    return TrainBatch(UserBatch.without_history(pairs[:, 0]), pairs[:, 1], shown, mask)


def by_row(negatives: Negatives, n: int) -> Tensor:
    """The items of negatives as (B, N), also if all rows share them."""
    return negatives.items.expand(n, -1) if negatives.items.dim() == 1 else negatives.items


def drawn_by_user(batch: TrainBatch, negatives: Negatives) -> Iterator[tuple[int, set[int]]]:
    """The user and the unmasked negatives of each example."""
    rows = by_row(negatives, len(batch.positives))
    for user, items, mask in zip(batch.users.idx, rows, negatives.mask, strict=True):
        yield int(user), set(items[mask].tolist())


def item_scores(users: UserBatch, items: Tensor) -> Tensor:  # noqa: ARG001 (as the sampler calls it)
    """Scores (B, N) in place of a model's: the items' indices."""
    return items.float()


class NegativesContract:
    """Tests of any negative sampler."""

    def make(self, context: ModelContext, known: KnownPositives) -> NegativeSampler:
        """A new sampler for data of these sizes and train positives."""
        raise NotImplementedError

    @pytest.fixture
    def sampler(self) -> NegativeSampler:
        return self.make(context(), known())

    def draw(self, sampler: NegativeSampler, batch: TrainBatch, seed: int = 0) -> Negatives:
        """The negatives that a batch is trained on."""
        drawn = sampler.draw(batch, torch.Generator().manual_seed(seed))
        return sampler.choose(batch.users, drawn, item_scores)

    def test_items_mask_and_log_q_have_fitting_shapes(self, sampler: NegativeSampler) -> None:
        batch = examples()
        negatives = self.draw(sampler, batch)
        n = len(batch.positives)
        assert negatives.items.dtype == torch.int64
        assert negatives.mask.dtype == torch.bool
        assert negatives.mask.shape == by_row(negatives, n).shape
        assert (negatives.log_q is None) == (negatives.positive_log_q is None)
        if negatives.log_q is not None and negatives.positive_log_q is not None:
            assert negatives.log_q.shape == negatives.items.shape
            assert negatives.positive_log_q.shape == (n,)
            assert (negatives.log_q <= 0).all()
            assert torch.isfinite(negatives.positive_log_q).all()

    def test_no_negative_is_a_train_positive_of_its_user_or_a_cold_item(self, sampler: NegativeSampler) -> None:
        batch = examples()
        negatives = self.draw(sampler, batch)
        for user, drawn in drawn_by_user(batch, negatives):
            assert not drawn & {*TRAIN[user], N_ITEMS - 1}

    def test_users_with_train_items_left_get_a_negative(self, sampler: NegativeSampler) -> None:
        batch = examples()
        has_negative = self.draw(sampler, batch).mask.any(dim=1)
        assert torch.equal(has_negative, batch.users.idx != 2)

    def test_the_same_generator_gives_the_same_negatives(self, sampler: NegativeSampler) -> None:
        first = self.draw(sampler, examples())
        torch.manual_seed(1)
        second = self.draw(self.make(context(), known()), examples())
        assert torch.equal(first.items, second.items)
        assert torch.equal(first.mask, second.mask)

    def test_the_run_s_own_randomness_is_left_alone(self, sampler: NegativeSampler) -> None:
        state = torch.get_rng_state()
        self.draw(sampler, examples())
        assert torch.equal(torch.get_rng_state(), state)

    def test_batches_that_are_drawn_together_get_negatives_of_their_own_users(self, sampler: NegativeSampler) -> None:
        batches = [examples(0, 5), examples(5, 12), examples(12, 15)]
        together = sampler.draw_all(batches, torch.Generator().manual_seed(0))
        for batch, drawn in zip(batches, together, strict=True):
            assert drawn.mask.shape[0] == len(batch.positives)
            assert not any(items & set(TRAIN[user]) for user, items in drawn_by_user(batch, drawn))
