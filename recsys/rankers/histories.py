"""Rankers that score from a user's whole history."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from recsys.rankers.base import OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import UserBatch

SCORES_AT_ONCE = 4_000_000  # scores in memory while pairs are scored


class HistoryRanker(Ranker):
    """Scores from the whole history, so that new users are scored like all others.

    Unless a subclass says otherwise, a user without history gets the same score for all items.

    Args:
        n_items: The size of the catalogue.
    """

    reads_history = True

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.n_items = n_items

    @abstractmethod
    def score_histories(self, users: UserBatch) -> Tensor:
        """Scores (B, n_items) of the whole catalogue."""

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        at_once = max(1, SCORES_AT_ONCE // self.n_items)
        parts = zip(users.batch.split(at_once), items.idx.split(at_once), strict=True)
        return torch.cat([self.score_histories(batch).gather(1, idx) for batch, idx in parts])

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self.score_histories(users.batch).index_select(1, items.idx)


def multi_hot(users: UserBatch, n_items: int) -> Tensor:
    """(B, n_items) float32, 1 for the items of a user's history."""
    hot = torch.zeros(len(users.idx), n_items, device=users.history.device)
    rows, places = users.history_mask.nonzero(as_tuple=True)
    hot[rows, users.history[rows, places]] = 1.0
    return hot
