"""Batches sliced out of tensors that are in memory already: no per-sample dataset, no collation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys.data.queries import Examples, Queries
from recsys.data.ragged import ItemLists
from recsys.schema import EvaluationBatch, TrainBatch, UserBatch
from recsys.training.encoded_user_texts import TextRows
from recsys.training.shuffled import ShuffledBatches

BEFORE, OTHERS, SEQUENCE = "before", "others", "sequence"


class TensorLists:
    """`ItemLists` as tensors, cut into padded tables.

    Args:
        lists: The lists.
    """

    def __init__(self, lists: ItemLists) -> None:
        self.offsets = torch.from_numpy(lists.offsets)
        # One entry more, so that an index past the end of an empty table is still valid (and masked).
        self.values = torch.from_numpy(np.append(lists.values, np.int32(0)))

    def newest(
        self, rows: Tensor, ends: Tensor | None, length: int, without: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The newest `length` items of each list of `rows` (B,) before position `ends` (B,), with their mask, (B, L).

        L is the longest row of the batch, at most `length`. `ends=None` is the whole list. Padding is at the right.
        The item at position `without` (B,) is left out if it is among them.
        """
        start = self.offsets[rows]
        sizes = self.offsets[rows + 1] - start if ends is None else ends
        width = sizes.clamp(max=length)
        first, skipped = start + sizes - width, torch.full_like(start, len(self.values))
        if without is not None:
            is_in = without >= sizes - width
            width, skipped = width - is_in.long(), torch.where(is_in, start + without, skipped)
        columns = torch.arange(int(width.max()) if len(width) else 0)
        mask = columns < width.unsqueeze(1)
        place = first.unsqueeze(1) + columns
        if without is not None:
            place += place >= skipped.unsqueeze(1)
        return self.values[place.masked_fill(~mask, 0)].long().masked_fill(~mask, 0), mask


class TrainBatches(ShuffledBatches):
    """Training batches of one example for each positive.

    Args:
        examples: The training examples.
        batch_size: Examples of a step, over all processes together.
        max_history: Newest items of a history that a profile reads; 0 for a profile that reads none.
        history: `before`: the interactions before the positive. `others`: all train interactions of the user except
            the positive; histories are longer, and the first interaction of a user has one, too.
        texts: Encoded text about the user of each example; None if the profile reads no text.
        order: The seed and the other arguments of `ShuffledBatches`.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        max_history: int,
        history: str,
        texts: TextRows | None,
        *order: Any,
    ) -> None:
        super().__init__(len(examples.users), batch_size, *order)
        self.users = torch.from_numpy(examples.users)
        self.positives = torch.from_numpy(examples.positives)
        self.rows = torch.from_numpy(examples.rows)
        self.before = torch.from_numpy(examples.before)
        self.history = TensorLists(examples.history)
        self.shown = None if examples.shown is None else TensorLists(examples.shown)
        self.max_history = max_history
        # The history of an impression already ends before it and cannot contain the click.
        self.only_before = history == BEFORE or examples.shown is not None
        self.texts = texts

    def make(self, chosen: Sequence[Tensor]) -> list[TrainBatch]:
        # Examples, users and positives of several batches are looked up together.
        together, sizes = torch.cat(list(chosen)), [len(batch) for batch in chosen]
        columns = (together, self.users.index_select(0, together), self.positives.index_select(0, together))
        return [self._batch(*parts) for parts in zip(*(column.split(sizes) for column in columns), strict=True)]

    def _batch(self, chosen: Tensor, idx: Tensor, positives: Tensor) -> TrainBatch:
        text = None if self.texts is None else self.texts.take(chosen)
        users = UserBatch.without_history(idx, text)
        if self.max_history:
            users = UserBatch(idx, *self._histories(positives, chosen), text)
        if self.shown is None:
            return TrainBatch(users, positives)
        return TrainBatch(users, positives, *self.shown.newest(self.rows[chosen], None, len(self.shown.values)))

    def _histories(self, positives: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        rows, before = self.rows[chosen], self.before[chosen]
        cut = {"ends": before} if self.only_before else {"ends": None, "without": before}
        history, mask = self.history.newest(rows, length=self.max_history, **cut)
        is_positive = mask & (history == positives.unsqueeze(1))  # only where a user has an item repeatedly
        return _closed_up(history, mask & ~is_positive) if is_positive.any() else (history, mask)


def _closed_up(history: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Histories (B, L) with only the items that are `kept`, in their order, and their mask; padding is at the right.

    A profile that reads an order counts items from the left, so a gap would hide the newest item and show a later one.
    """
    mask = torch.arange(history.shape[1]) < kept.sum(dim=1, keepdim=True)
    return torch.zeros_like(history).masked_scatter_(mask, history.masked_select(kept)), mask


class WholeUserBatches(ShuffledBatches):
    """Training batches of users with their whole histories, for a user-level reconstruction loss; without positives.

    Args:
        history: Each user's train interactions; users without any are omitted.
        batch_size: Mean number of train interactions of a step, over all processes together; the number of users of a
            step follows from it.
        order: The seed and the other arguments of `ShuffledBatches`.
    """

    def __init__(self, history: ItemLists, batch_size: int, *order: Any) -> None:
        self.users = torch.from_numpy(np.flatnonzero(history.lengths))
        mean = len(history.values) / max(1, len(self.users))
        super().__init__(len(self.users), max(1, round(batch_size / mean)), *order)
        self.history = TensorLists(history)

    def make(self, chosen: Sequence[Tensor]) -> list[TrainBatch]:
        return [self._batch(self.users[batch]) for batch in chosen]

    def _batch(self, idx: Tensor) -> TrainBatch:
        users = UserBatch(idx, *self.history.newest(idx, None, len(self.history.values)))
        return TrainBatch(users, idx.new_empty(0))


class EvaluationBatches:
    """Iterates the queries of a stage in chunks whose scores fit in memory.

    Args:
        queries: The queries.
        chunk_size: Queries of a chunk.
        max_history: As in `TrainBatches`.
        rank: Rank of this process.
        world_size: Number of processes; each query is evaluated by one of them.
        texts: Encoded text about the user of each query; None if the profile reads no text.
    """

    def __init__(
        self,
        queries: Queries,
        chunk_size: int,
        max_history: int,
        rank: int = 0,
        world_size: int = 1,
        texts: TextRows | None = None,
    ) -> None:
        self.queries, self.max_history, self.texts = queries, max_history, texts
        self.history = TensorLists(queries.history)
        self.candidates = None if queries.candidates is None else TensorLists(queries.candidates)
        mine = np.arange(rank, len(queries), world_size)
        self.chunks = [mine[start : start + chunk_size] for start in range(0, len(mine), chunk_size)]

    def __len__(self) -> int:
        return len(self.chunks)

    def __iter__(self) -> Iterator[EvaluationBatch]:
        for chunk in self.chunks:
            yield self._batch(chunk)

    def _batch(self, chunk: np.ndarray) -> EvaluationBatch:
        rows = self.queries.rows[chunk]
        torch_rows = torch.from_numpy(rows)
        history, mask = self.history.newest(torch_rows, None, self.max_history)
        query = torch.from_numpy(chunk)
        text = None if self.texts is None else self.texts.take(query)
        users = UserBatch(torch.from_numpy(self.queries.users[chunk]), history, mask, text)
        positives = torch.from_numpy(self.queries.positives.pairs(rows))
        if self.candidates is None:
            masked = self.queries.history if self.queries.masked is None else self.queries.masked
            return EvaluationBatch(query, users, torch.from_numpy(masked.pairs(rows)), positives)
        items, real = self.candidates.newest(torch_rows, None, len(self.candidates.values))
        return EvaluationBatch(query, users, positives.new_empty(2, 0), positives, items.masked_fill(~real, -1))
