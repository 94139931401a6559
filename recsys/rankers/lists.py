"""Recommendation lists of another program, evaluated under the same protocol as all runs."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from recsys.rankers.base import Fittable, OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ITEM, USER, ConfigError, ModelContext, TrainInteractions

SCORES_AT_ONCE = 4_000_000  # scores in memory while pairs are scored


class Lists(Protocol):
    """The source of lists."""

    def read(self, user_ids: Any, item_ids: Any) -> Any:
        """An object with `pairs`, a frame with `user`, `item` and `order` (1 for the best), and `facts`."""


class ListsRanker(Ranker, Fittable):
    """score(u, i) = −(rank of i in u's list); −∞ for items that are not in it, which are never recommended.

    Args:
        context: Sizes of the data, and its raw ids.
        lists: The file.
        name: The row's name in tables.

    Attributes:
        facts: The file's origin, and the rows that were left out; empty before `fit`.

    Raises:
        ConfigError: If the name is empty.
    """

    reads_user = True
    offsets: Tensor  # (n_users + 1,) where each user's list begins
    items: Tensor
    values: Tensor
    longest: Tensor

    def __init__(self, context: ModelContext, lists: Lists, name: str) -> None:
        super().__init__()
        if not name.strip():
            raise ConfigError(f"ranker.name is {name!r}; expected a name.")
        self.lists, self.ids, self.n_items = lists, context.ids, context.n_items
        self.facts: dict[str, Any] = {}
        self.register_buffer("offsets", torch.zeros(context.n_users + 1, dtype=torch.int64))
        self.register_buffer("items", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("values", torch.zeros(0))
        self.register_buffer("longest", torch.zeros((), dtype=torch.int64))

    @property
    def longest_list(self) -> int | None:
        """Items of the longest list; None if each list has all items that its user has no train interaction with."""
        return int(self.longest) or None

    def fit(self, train: TrainInteractions) -> None:
        """Read the file; the train part is used only to determine `longest_list`."""
        assert self.ids is not None, "a run has raw ids"
        read = self.lists.read(self.ids.users(), self.ids.items())
        self.facts = read.facts
        users, items, order = (read.pairs[name].to_numpy().astype(np.int64) for name in (USER, ITEM, "order"))
        lengths = np.bincount(users, minlength=train.n_users)
        self.offsets = torch.from_numpy(np.append(0, np.cumsum(lengths)))
        self.items, self.values = torch.from_numpy(items), torch.from_numpy(-order.astype(np.float32))
        everything = _distinct_pairs(np.append(users, train.users), np.append(items, train.items), train)
        is_complete = (everything[lengths > 0] == train.n_items).all()
        self.longest = torch.tensor(0 if is_complete else lengths.max())

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        at_once = max(1, SCORES_AT_ONCE // self.n_items)
        parts = zip(users.batch.idx.split(at_once), items.idx.split(at_once), strict=True)
        return torch.cat([self._scores(idx).gather(1, own) for idx, own in parts])

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        return self._scores(users.batch.idx).index_select(1, items.idx)

    def _scores(self, users: Tensor) -> Tensor:
        """(B, n_items) scores; −∞ throughout for users without a list."""
        first, last = self.offsets[users.clamp(min=0)], self.offsets[users.clamp(min=0) + 1]
        lengths = (last - first).masked_fill(users < 0, 0)
        rows = torch.arange(len(users), device=users.device).repeat_interleave(lengths)
        within = torch.arange(len(rows), device=users.device) - (lengths.cumsum(0) - lengths)[rows]
        place = first[rows] + within
        scores = torch.full((len(users), self.n_items), -torch.inf, device=users.device)
        scores[rows, self.items[place]] = self.values[place]
        return scores

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        # The buffers of a new ranker are empty: they take the sizes of the saved ones.
        for name in ("items", "values"):
            saved = state_dict.get(f"{prefix}{name}")
            if saved is not None:
                setattr(self, name, torch.zeros_like(saved))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _distinct_pairs(users: np.ndarray, items: np.ndarray, train: TrainInteractions) -> np.ndarray:
    """(n_users,) the number of distinct items of each user."""
    distinct = np.unique(users * train.n_items + items)
    return np.bincount(distinct // train.n_items, minlength=train.n_users)
