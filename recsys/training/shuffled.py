"""Shuffled training batches, the same after a resumption, shared by processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from recsys.schema import TrainBatch
from recsys.training.seeds import generator


class ShuffledBatches(ABC):
    """Iterates shuffled training batches, in an order that depends on seed and epoch only, so a resumed run repeats it.

    Each iteration yields a list of `steps_at_once` batches (the last list may be shorter): Lightning calls
    `training_step` once for all of them.

    Args:
        n: Number of examples, users or sequences to shuffle.
        size: Number of these in a step, over all processes together.
        seed: The run's seed.
        epoch: Returns the current epoch.
        rank: Rank of this process.
        world_size: Number of processes; each takes a part of every batch, weighted by its size.
        steps_at_once: Batches of a list.
    """

    def __init__(
        self,
        n: int,
        size: int,
        seed: int,
        epoch: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
        steps_at_once: int = 1,
    ) -> None:
        self.n, self.size = n, size
        self.seed, self.epoch, self.rank, self.world_size = seed, epoch, rank, world_size
        self.steps_at_once = steps_at_once

    def __len__(self) -> int:
        return -(-self.n // (self.size * self.steps_at_once))

    def __iter__(self) -> Iterator[list[TrainBatch]]:
        order = torch.randperm(self.n, generator=generator("cpu", self.seed, "shuffle", self.epoch()))
        for block in order.split(self.size * self.steps_at_once):
            shares, weights = zip(*map(self._share, block.split(self.size)), strict=True)
            batches = self.make(shares)
            for batch, weight in zip(batches, weights, strict=True):
                batch.weight = weight
            yield batches

    @abstractmethod
    def make(self, chosen: Sequence[Tensor]) -> list[TrainBatch]:
        """The batches of the chosen examples, by number."""

    def count(self, chosen: Tensor) -> int:
        """Number of terms in the mean of the loss for the chosen examples."""
        return len(chosen)

    def _share(self, batch: Tensor) -> tuple[Tensor, float]:
        """This process' part of a batch, and the weight of its mean loss: gradients are averaged over processes."""
        if self.world_size == 1:
            return batch, 1.0
        mine = batch.tensor_split(self.world_size)[self.rank]
        if len(mine) == 0:  # one example of weight 0: all processes must take the step
            return batch[:1], 0.0
        return mine, self.world_size * self.count(mine) / self.count(batch)
