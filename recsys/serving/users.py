"""The users that get recommendations: known users with their interactions, and new users with a history or text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys import schema
from recsys.data.ragged import ItemLists
from recsys.data.sources.indexing import to_index
from recsys.schema import ConfigError, UserBatch
from recsys.serving.model import Served
from recsys.support.ids import ids_of
from recsys.training.batches import TensorLists

NEW = "new"  # id of a new user in the output


@dataclass(frozen=True)
class ServedUsers:
    """Users (U) with their histories.

    Attributes:
        ids: (U,) ids for the output.
        idx: (U,) indices in the data; -1 for a new user.
        history: (U) lists of items, oldest first.
        texts: (U, text_dim) vectors of the texts about the users, for a profile that reads texts; otherwise None.
        masked: (U) lists of items that are not recommended; None for those of `history`.
    """

    ids: pl.Series
    idx: NDArray[np.int64]
    history: ItemLists
    texts: Tensor | None = None
    masked: ItemLists | None = None

    def __len__(self) -> int:
        return len(self.idx)

    @property
    def not_recommended(self) -> ItemLists:
        """(U) lists of the items that are not recommended."""
        return self.history if self.masked is None else self.masked

    def batch(self, rows: NDArray[np.int64], max_history: int) -> UserBatch:
        """The users of some rows, with the newest `max_history` items of each."""
        history, mask = TensorLists(self.history).newest(torch.from_numpy(rows), None, max_history)
        texts = None if self.texts is None else self.texts[torch.from_numpy(rows)]
        return UserBatch(torch.from_numpy(self.idx[rows]), history, mask, texts)


def known_users(served: Served, user_ids: Any = None) -> ServedUsers:
    """Users of the data by their raw ids (None for all), with their known interactions in the test.

    Args:
        served: The model.
        user_ids: One id, or a list, array, series or frame of ids: texts or whole numbers.

    Raises:
        ConfigError: If a value is no id, or an id is not in the data.
    """
    dataset = served.run.split.dataset
    ids = dataset.users[schema.USER_ID]
    if user_ids is None:
        return ServedUsers(ids, np.arange(len(ids)), served.known, served.known_texts, served.masked)
    asked = pl.Series(schema.USER_ID, ids_of(user_ids), dtype=pl.String)
    idx = to_index(asked, ids)
    if idx.null_count():
        unknown = asked.filter(idx.is_null())[0]
        raise ConfigError(
            f"user {unknown!r} is not in {dataset.name}; it has users such as {ids[0]!r}. "
            "For a new user give history=[item ids]."
        )
    rows = idx.to_numpy().astype(np.int64)
    texts = None if served.known_texts is None else served.known_texts[torch.from_numpy(rows)]
    history, masked = (_lists([lists[row] for row in rows]) for lists in (served.known, served.masked))
    return ServedUsers(asked, rows, history, texts, masked)


def new_user(history: NDArray[np.int64]) -> ServedUsers:
    """A user who is not in the data, with a history of item indices, oldest first."""
    return new_users(pl.Series([NEW]), [history])


def new_users(ids: pl.Series, histories: Sequence[NDArray[np.int64]]) -> ServedUsers:
    """Users who are not in the data, by ids (U,) for the output and their histories of item indices, oldest first."""
    return ServedUsers(ids.alias(schema.USER_ID), np.full(len(ids), -1), _lists(histories))


def _lists(histories: Sequence[NDArray[Any]]) -> ItemLists:
    offsets = np.cumsum([0, *map(len, histories)], dtype=np.int64)
    return ItemLists(offsets, np.concatenate([*histories, np.zeros(0, np.int32)]).astype(np.int32))
