"""Negative samplers at their limits: the last redraw, equal shares, a full table, and padding."""

from __future__ import annotations

import pytest
import torch

from recsys.schema import ConfigError, ModelContext, TrainBatch, UserBatch
from recsys.training import negatives
from recsys.training.negatives import (
    HardNegatives,
    InBatchNegatives,
    KnownPositives,
    Negatives,
    PopularityNegatives,
    ShownNegatives,
    UniformNegatives,
)

# User 0 has items 1 and 2, user 1 has all warm items; item 0 is cold. Three users, five items.
PAIRS = torch.tensor([(0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (1, 4)])
CONTEXT = ModelContext(4, torch.tensor([True, True, False]), torch.tensor([0, 2, 2, 1, 1]))


def known() -> KnownPositives:
    return KnownPositives(PAIRS[:, 0], PAIRS[:, 1], 3, 5)


def batch(users: list[int], positives: list[int], *shown: torch.Tensor | None) -> TrainBatch:
    return TrainBatch(UserBatch.without_history(torch.tensor(users)), torch.tensor(positives), *shown)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("limit", "has_table"), [(16, True), (15, True), (14, False)])
@pytest.mark.parametrize("n_users", [3, 1])
def test_the_table_of_all_pairs_is_kept_up_to_its_limit(monkeypatch, limit, has_table, n_users):
    monkeypatch.setattr(negatives, "MAX_TABLE", limit)
    pairs = KnownPositives(PAIRS[:2, 0], PAIRS[:2, 1], n_users, 15 // n_users)
    assert (pairs.table is not None) == has_table
    pairs = pairs.to(torch.device("cpu"))
    assert pairs.contain(torch.tensor([0, 0, 0]), torch.tensor([2, 0, 1])).tolist() == [True, False, True]


def test_each_item_has_its_column_and_the_others_have_none():
    assert known().columns_of(torch.tensor([3, 1])).tolist() == [-1, 1, -1, 0, -1]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_items_that_are_still_positives_after_the_last_redraw_are_masked(monkeypatch, n):
    monkeypatch.setattr(negatives, "MAX_REDRAWS", 3)
    counts = []

    def draw(count):
        counts.append(count)
        return torch.full((count,), 3 if len(counts) == 3 else 1)

    items, mask = UniformNegatives(CONTEXT, known()).draw_unknown(torch.tensor([0, 2, 1]), n, draw)
    # Item 1 is drawn, then again for users 0 and 1, then item 3, which only user 1 has, and item 1 at last.
    assert counts == [3 * n, 2 * n, 2 * n, n]
    assert items.tolist() == [[3] * n, [1] * n, [1] * n]
    assert mask.tolist() == [[True] * n, [True] * n, [False] * n]


def test_an_item_is_drawn_where_the_number_is_in_its_part_of_the_distribution(monkeypatch):
    sampler = PopularityNegatives(CONTEXT, known(), alpha=1.0)
    # The shares 0, 1/3, 1/3, 1/6 and 1/6 add up to the bounds 0, 2/6, 4/6, 5/6 and 1.
    bounds = torch.tensor([0, 2, 4, 5], dtype=torch.float64) / 6
    numbers = torch.cat([bounds, bounds[1:] - 1e-12, torch.tensor([1 - 2.0**-53], dtype=torch.float64)])
    monkeypatch.setattr(torch, "rand", lambda n, *, dtype, **_: numbers[:n].to(dtype))
    assert sampler._draw(8, seeded()).tolist() == [1, 2, 3, 4, 1, 2, 3, 4]
    sampler.cumulative = sampler.cumulative * (1 - 1e-9)  # rounded below 1
    assert sampler._draw(8, seeded())[-1] == 4


def test_in_batch_negatives_without_a_correction_are_the_positives_and_the_mask():
    drawn = InBatchNegatives(CONTEXT, known(), log_q=False).draw(batch([0, 2], [2, 3]), seeded())
    assert drawn.items.tolist() == [2, 3]
    assert drawn.mask.tolist() == [[False, True], [True, True]]


def test_hard_negatives_are_never_masked_ones_while_others_are_left():
    sampler = HardNegatives(CONTEXT, known(), n_negatives=2, pool_size=4)
    mask = torch.tensor([[True, False, True, False], [False, True, False, False]])
    drawn = Negatives(torch.tensor([[3, 1, 4, 2], [1, 4, 2, 3]]), mask)
    chosen = sampler.choose(batch([0, 1], [1, 1]).users, drawn, lambda _, items: -items.float())
    assert chosen.items[0].tolist() == [3, 4]
    assert chosen.mask.tolist() == [[True, True], [True, False]]
    assert chosen.items[1, 0] == 4


@pytest.mark.parametrize("missing", [0, 1])
def test_shown_negatives_need_both_the_items_and_their_mask(missing):
    shown = [torch.tensor([[3, 4]]), torch.tensor([[True, True]])]
    shown[missing] = None
    with pytest.raises(ConfigError, match="needs data with impressions"):
        ShownNegatives(CONTEXT, known(), 2).draw(batch([0], [1], *shown), seeded())


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_of_the_shown_items_as_many_are_drawn_as_there_are(monkeypatch, n):
    shown = torch.tensor([[3, 4, 0], [0, 0, 0]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))  # the least number that may be drawn
    drawn = ShownNegatives(CONTEXT, known(), n).draw(batch([0, 2], [1, 1], shown, mask), seeded())
    assert drawn.items.shape == (2, n)
    assert drawn.mask.sum(dim=1).tolist() == [min(n, 2), 0]
    assert set(drawn.items[0][drawn.mask[0]].tolist()) <= {3, 4}
