"""The best items of a teacher for each user, with its scores: the soft labels of distillation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from recsys.schema import UserBatch

OF_TEACHER = ("teacher", "n_candidates")  # keys of a loss with the trait `teacher` that its function does not take


@dataclass
class TeacherLists:
    """A teacher's best unseen items of each user.

    Attributes:
        items: (n_users, K) item indices; arbitrary where there is no item.
        scores: (n_users, K) the teacher's scores; −∞ where there is no item.
    """

    items: Tensor
    scores: Tensor

    def to(self, device: torch.device) -> TeacherLists:
        """The same lists on another device."""
        return TeacherLists(self.items.to(device), self.scores.to(device))

    def of(self, users: UserBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Items (B, K), scores (B, K) and the mask (B, K) of real items, for users of the data."""
        items, scores = self.items.index_select(0, users.idx).long(), self.scores.index_select(0, users.idx)
        return items, scores, scores > -torch.inf
