"""Training batches in an order that depends on seed and epoch only, shared by processes, in lists for one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from recsys.schema import TrainBatch
from recsys.training.seeds import generator


class ShuffledBatches(ABC):
    """Iterates shuffled training batches, in an order that depends on seed and epoch only, so a resumed run repeats it.

    They come as lists of `steps_at_once` (the last may be shorter), for a training step that takes as many.

    Args:
        n: What is shuffled: examples, users or sequences, by number.
        size: How many of these a step has, over all processes together.
        seed: The run's seed.
        epoch: Gives the current epoch.
        rank: This process.
        world_size: Number of processes; each takes its share of every batch, and weighs it by its size.
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
        """This process' part of a batch, and the weight of its mean: gradients are averaged over processes."""
        if self.world_size == 1:
            return batch, 1.0
        mine = batch.tensor_split(self.world_size)[self.rank]
        if len(mine) == 0:  # it takes one that counts nothing: all have to make the step
            return batch[:1], 0.0
        return mine, self.world_size * self.count(mine) / self.count(batch)
