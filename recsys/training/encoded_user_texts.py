"""Encoded texts about users, by example and by query; each distinct text is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys import schema
from recsys.data.queries import Queries, histories, stage_queries, train_examples
from recsys.data.ragged import ItemLists
from recsys.data.splits.split import Split
from recsys.data.user_texts import people_of, snapshot_ends, write_texts
from recsys.layers.lookup import take_rows
from recsys.layers.scaling import centering
from recsys.schema import UserPrompt

Encode = Callable[[Sequence[str]], tuple[NDArray[np.float32], dict[str, Any]]]


@dataclass(frozen=True)
class TextRows:
    """Vectors (n, text_dim) of distinct texts, and the row of them (T,) for each example or query."""

    vectors: Tensor
    rows: Tensor

    def take(self, chosen: Tensor) -> Tensor:
        """Vectors (B, text_dim) of the examples or queries `chosen` (B,)."""
        return take_rows(self.vectors, self.rows[chosen])


class UserTexts:
    """The texts about the users of a split, and their vectors.

    A training text ends before the positive of each of its examples. The text for a query contains the query's whole
    history. Vectors are centred and scaled by the statistics of the distinct training texts.

    Args:
        split: The data.
        prompt: How texts are written.
        encode: Returns the run's encoder's vectors of texts, and its report on them, such as how many were truncated.
    """

    def __init__(self, split: Split, prompt: UserPrompt, encode: Encode) -> None:
        self.split, self.prompt, self.encode = split, prompt, encode
        self.reports: dict[str, dict[str, Any]] = {}
        self._stages: dict[str, TextRows] = {}

    @cached_property
    def train_texts(self) -> list[str]:
        """The text of each training example."""
        examples = train_examples(self.split)
        ends = snapshot_ends(examples, self.prompt.n_snapshots)
        snapshots, of_example = np.unique(np.stack([examples.rows, ends]), axis=1, return_inverse=True)
        owners = np.zeros(len(examples.history), dtype=np.int64)
        owners[examples.rows] = examples.users
        texts = self.write(examples.history, snapshots[0], snapshots[1], owners[snapshots[0]])
        return [texts[row] for row in of_example.reshape(-1)]

    @cached_property
    def train(self) -> TextRows:
        """Vectors of texts by training example."""
        return TextRows(self.scaled(self._train[0]), self._train[1])

    def encode_all(self, stages: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Encode the texts of training and of these stages; returns the encoder's reports by stage."""
        _ = self.train
        for stage in stages:
            self.stage(stage)
        return self.reports

    def stage(self, stage: str) -> TextRows:
        """Vectors of texts by query of `schema.VAL` or `schema.TEST`."""
        if stage not in self._stages:
            queries = stage_queries(self.split, stage)
            vectors, rows = self._encoded(self.stage_texts(queries), stage)
            self._stages[stage] = TextRows(self.scaled(vectors), rows[torch.from_numpy(queries.rows)])
        return self._stages[stage]

    def stage_texts(self, queries: Queries) -> list[str]:
        """The text of each list in `queries.history`."""
        owners = np.arange(len(queries.history))
        owners[queries.rows] = queries.users
        return self._whole(queries.history, owners)

    def known_users(self) -> Tensor:
        """Vectors (n_users, text_dim) of the texts about all users of the data, from their histories at test time."""
        lists = histories(self.split, schema.TEST)
        vectors, rows = self._encoded(self._whole(lists, np.arange(len(lists))), None)
        return take_rows(self.scaled(vectors), rows)

    def new_users(self, lists: ItemLists, item_texts: pl.Series) -> list[str]:
        """The texts of users who are not in the data, from their histories and the items' texts."""
        return self._whole(lists, np.full(len(lists), -1), item_texts)

    def scaled(self, vectors: Tensor) -> Tensor:
        """Vectors of the encoder, centred and scaled as in training."""
        mean, scale = self._centering
        return ((vectors - mean) * scale).float()

    def write(
        self,
        lists: ItemLists,
        rows: NDArray[np.int64],
        ends: NDArray[np.int64],
        owners: NDArray[np.int64],
        item_texts: pl.Series | None = None,
    ) -> list[str]:
        """The texts of lists `rows` (T,) up to `ends` (T,), of users `owners` (T,)."""
        texts = self.split.dataset.items[schema.TEXT] if item_texts is None else item_texts
        return write_texts(self.prompt, lists, rows, ends, texts, people_of(self.split.dataset.users, owners))

    def _whole(self, lists: ItemLists, owners: NDArray[np.int64], item_texts: pl.Series | None = None) -> list[str]:
        return self.write(lists, np.arange(len(lists)), lists.lengths, owners, item_texts)

    def _encoded(self, texts: Sequence[str], stage: str | None) -> tuple[Tensor, Tensor]:
        """Vectors of the distinct texts, and each text's row; the encoder's report is kept for the stage."""
        places: dict[str, int] = {}
        rows = torch.tensor([places.setdefault(text, len(places)) for text in texts], dtype=torch.long)
        vectors, report = self.encode(list(places))
        if stage is not None:
            unknown = sum(text == self.prompt.empty for text in texts)
            self.reports[stage] = {"n_read": len(texts), "n_nothing_known": unknown, **report}
        return torch.from_numpy(vectors), rows

    @cached_property
    def _train(self) -> tuple[Tensor, Tensor]:
        return self._encoded(self.train_texts, schema.TRAIN)

    @cached_property
    def _centering(self) -> tuple[Tensor, Tensor]:
        return centering(self._train[0])
