"""Every kind of item that is not recommended, by itself, with scores that are given."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch

from recsys.data.ragged import ItemLists
from recsys.metrics.topk import rank_items
from recsys.serving.model import Served
from recsys.serving.ranking import chunks, rank
from recsys.serving.users import ServedUsers

SCORES = torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]])
NOTHING = ItemLists(np.array([0, 0, 0]), np.zeros(0, dtype=np.int32))
HISTORY = ItemLists(np.array([0, 2, 3]), np.array([5, 3, 0], dtype=np.int32))


class GivenScores:
    """In place of a model: scores that do not depend on the batch's histories."""

    def item_vectors(self, n_items):
        return torch.empty(n_items, 0)

    def score_catalogue(self, users, item_vectors):
        return SCORES[users.idx]

    def history_length(self, max_history):
        return max_history


def served(n_items: int = 6, max_scores: int = 100) -> Served:
    cfg = SimpleNamespace(batches=SimpleNamespace(max_scores=max_scores, max_history=5), metrics={})
    items = pl.DataFrame({"item_id": list("abcdef")})
    return Served(SimpleNamespace(cfg=cfg), GivenScores(), items, np.zeros((6, 0), dtype=np.float32), n_items)


def users(history: ItemLists = NOTHING, masked: ItemLists | None = None) -> ServedUsers:
    return ServedUsers(pl.Series(["u", "v"]), np.arange(2), history, None, masked)


def test_the_best_items_come_first_with_their_scores():
    found = rank(served(), users(), 2)
    assert found.items.tolist() == [[5, 4], [0, 1]]
    assert found.scores.tolist() == [[5.0, 4.0], [5.0, 4.0]]


@pytest.mark.parametrize("max_scores", [1, 6, 100])
def test_items_of_a_users_history_are_not_recommended_to_it(max_scores):
    assert rank(served(max_scores=max_scores), users(HISTORY), 2).items.tolist() == [[4, 2], [1, 2]]


def test_the_masked_items_are_left_out_instead_of_the_history_where_they_are_given():
    masked = ItemLists(np.array([0, 1, 3]), np.array([4, 1, 0], dtype=np.int32))
    assert rank(served(), users(HISTORY, masked), 2).items.tolist() == [[5, 3], [2, 3]]


def test_texts_of_users_that_follow_the_items_are_not_recommended():
    assert rank(served(n_items=4), users(), 2).items.tolist() == [[3, 2], [0, 1]]


def test_only_allowed_items_are_recommended():
    allowed = np.array([True, False, True, False, False, False])
    found = rank(served(), users(), 3, allowed)
    assert found.items.tolist() == [[2, 0, -1], [0, 2, -1]]
    assert found.scores.tolist() == [[2.0, 0.0, -np.inf], [5.0, 3.0, -np.inf]]


def test_masking_leaves_the_scores_of_the_model_as_they_are():
    before = SCORES.clone()
    rank(served(n_items=4), users(HISTORY), 2)
    assert torch.equal(before, SCORES)


@pytest.mark.parametrize(
    ("n_items", "max_scores", "sizes"),
    [(6, 5, [1] * 5), (6, 12, [2, 2, 1]), (6, 100, [5]), (1, 2, [2, 2, 1]), (0, 3, [3, 2])],
)
def test_the_scores_of_a_chunk_of_users_are_within_the_bound(n_items, max_scores, sizes):
    model = replace(served(max_scores=max_scores), items=pl.DataFrame({"item_id": ["a"] * n_items}))
    found = list(chunks(model, 5))
    assert [len(rows) for rows in found] == sizes
    assert np.concatenate(found).tolist() == [0, 1, 2, 3, 4]


def test_equal_scores_are_in_the_order_of_the_numbers_of_known_users_and_of_the_index_of_new_ones(monkeypatch):
    monkeypatch.setattr(GivenScores, "score_catalogue", lambda self, users, vectors: torch.zeros(len(users.idx), 6))
    model = replace(served(), tie_numbers=np.array([40, 50, 60]))
    three = ItemLists(np.array([0, 0, 0, 0]), np.zeros(0, dtype=np.int32))
    ranked = rank(model, ServedUsers(pl.Series(["u", "v", "new"]), np.array([0, 1, -1]), three), 6).items
    for row, number in zip(ranked, (40, 50, -1), strict=True):
        assert torch.equal(row, rank_items(torch.zeros(1, 6), 6, torch.tensor([number]), model.tie_seed)[0])
    without = rank(served(), users(), 6).items
    assert torch.equal(without, rank_items(torch.zeros(2, 6), 6, torch.tensor([0, 1]), model.tie_seed))


def test_without_users_there_is_an_empty_ranking():
    nobody = ServedUsers(pl.Series([], dtype=pl.String), np.zeros(0, dtype=np.int64), NOTHING)
    found = rank(served(), nobody, 3)
    assert found.items.shape == found.scores.shape == (0, 3)
