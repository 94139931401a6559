"""Batches sliced out of tensors that are in memory already: no per-sample dataset, no collation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from recsys.data.lists import ItemLists
from recsys.data.queries import Examples, Queries
from recsys.schema import EvaluationBatch, TrainBatch, UserBatch
from recsys.training.seeds import generator
from recsys.training.user_texts import TextRows

BEFORE, OTHERS = "before", "others"


class TensorLists:
    """`ItemLists` as tensors, cut into padded tables.

    Args:
        lists: The lists.
    """

    def __init__(self, lists: ItemLists) -> None:
        self.offsets = torch.from_numpy(lists.offsets)
        # One entry more, so that an index past the end of an empty table is still valid (and masked).
        self.values = torch.from_numpy(np.append(lists.values, np.int32(0)))

    def newest(self, rows: Tensor, ends: Tensor | None, length: int) -> tuple[Tensor, Tensor]:
        """The newest `length` items of each list of `rows` (B,) before position `ends` (B,), with their mask, (B, L).

        L is the longest that occurs in the batch. `ends=None` is the whole list. Padding stands at the right.
        """
        start = self.offsets[rows]
        sizes = self.offsets[rows + 1] - start if ends is None else ends
        width = sizes.clamp(max=length)
        columns = torch.arange(int(width.max()) if len(width) else 0)
        mask = columns < width.unsqueeze(1)
        place = (start + sizes - width).unsqueeze(1) + columns
        return self.values[place.masked_fill(~mask, 0)].long().masked_fill(~mask, 0), mask


class TrainBatches:
    """Iterates shuffled training batches, in an order of the seed and the epoch alone, so a resumed run repeats it.

    They come as lists of `steps_at_once` (the last may be shorter), for a training step that takes as many.

    Args:
        examples: The training examples.
        batch_size: Examples of a step, over all processes together.
        max_history: Newest items of a history that a profile reads; 0 for a profile that reads none.
        history: `before`: what came before the positive. `others`: all that the user did in the train part but the
            positive, which gives each example more context, and each user's first ones any at all.
        seed: The run's seed.
        epoch: Gives the current epoch.
        rank: This process.
        world_size: Number of processes; each takes its share of every batch, and weighs it by its size.
        steps_at_once: Batches of a list.
        texts: What is written of each example's user, for a profile that reads it.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        max_history: int,
        history: str,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
        steps_at_once: int = 1,
        texts: TextRows | None = None,
    ) -> None:
        self.users = torch.from_numpy(examples.users)
        self.positives = torch.from_numpy(examples.positives)
        self.rows = torch.from_numpy(examples.rows)
        self.before = torch.from_numpy(examples.before)
        self.history = TensorLists(examples.history)
        self.shown = None if examples.shown is None else TensorLists(examples.shown)
        self.batch_size, self.max_history = batch_size, max_history
        # An impression's history is what came before it already, and cannot hold the click.
        self.only_before = history == BEFORE or examples.shown is not None
        self.seed, self.epoch, self.rank, self.world_size = seed, epoch, rank, world_size
        self.steps_at_once, self.texts = steps_at_once, texts

    def __len__(self) -> int:
        return -(-len(self.users) // (self.batch_size * self.steps_at_once))

    def __iter__(self) -> Iterator[list[TrainBatch]]:
        order = torch.randperm(len(self.users), generator=generator("cpu", self.seed, "shuffle", self.epoch()))
        for block in order.split(self.batch_size * self.steps_at_once):
            shares, weights = zip(*map(self._share, block.split(self.batch_size)), strict=True)
            batches = [self._batch(*parts) for parts in zip(*self._examples(shares), strict=True)]
            for batch, weight in zip(batches, weights, strict=True):
                batch.weight = weight
            yield batches

    def _examples(self, batches: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
        """Examples, users and positives of several batches, looked up together."""
        together, sizes = torch.cat(list(batches)), [len(batch) for batch in batches]
        columns = (together, self.users.index_select(0, together), self.positives.index_select(0, together))
        return [column.split(sizes) for column in columns]

    def _share(self, batch: Tensor) -> tuple[Tensor, float]:
        """This process' examples of a batch, and the weight of their mean: gradients are averaged over processes."""
        if self.world_size == 1:
            return batch, 1.0
        mine = batch.tensor_split(self.world_size)[self.rank]
        # A process without an example takes one that counts nothing: all have to make the step.
        return (mine if len(mine) else batch[:1]), self.world_size * len(mine) / len(batch)

    def _batch(self, chosen: Tensor, idx: Tensor, positives: Tensor) -> TrainBatch:
        text = None if self.texts is None else self.texts.take(chosen)
        users = UserBatch.without_history(idx, text)
        if self.max_history:
            users = UserBatch(idx, *self._histories(positives, chosen), text)
        if self.shown is None:
            return TrainBatch(users, positives)
        return TrainBatch(users, positives, *self.shown.newest(self.rows[chosen], None, len(self.shown.values)))

    def _histories(self, positives: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        ends = self.before[chosen] if self.only_before else None
        history, mask = self.history.newest(self.rows[chosen], ends, self.max_history)
        return history, mask & (history != positives.unsqueeze(1))


class EvaluationBatches:
    """Iterates the queries of a stage in chunks whose scores fit in memory.

    Args:
        queries: The queries.
        chunk_size: Queries of a chunk.
        max_history: As in `TrainBatches`.
        rank: This process.
        world_size: Number of processes; each takes its share of the queries, none twice.
        texts: What is written of each query's user, for a profile that reads it.
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
            return EvaluationBatch(query, users, torch.from_numpy(self.queries.history.pairs(rows)), positives)
        items, real = self.candidates.newest(torch_rows, None, len(self.candidates.values))
        return EvaluationBatch(query, users, positives.new_empty(2, 0), positives, items.masked_fill(~real, -1))
