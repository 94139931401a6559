"""Training batches of sequences, with a loss at many positions of each sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.data.ragged import ItemLists
from recsys.schema import Positions, TrainBatch, UserBatch
from recsys.training.seeds import generator
from recsys.training.shuffled import ShuffledBatches

LAST_ALONE = 0.1  # share of sequences with only the newest item masked, as in evaluation


class SequenceBatches(ShuffledBatches):
    """Batches of sequences: train histories in pieces of at most `max_history` items, each with the item before it.

    Next-item training (Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018): each item of a piece
    is predicted from the items before it. There is one example for each train interaction, as with
    `train_history=before`, and a history is encoded once for all its examples; but only the last item of a piece has
    `max_history` items before it. With `mask_share`, the Cloze task (Sun et al., "BERT4Rec", CIKM 2019): the items that
    are masked in an epoch are predicted from all others of the piece.

    Args:
        lists: Train interactions of each user, oldest first.
        batch_size: Mean number of train interactions of a step, over all processes together; the number of pieces of a
            step follows from it.
        max_history: Items of a piece.
        mask_share: Masking probability of the Cloze task; None for next-item training.
        order: The seed and the other arguments of `ShuffledBatches`.
    """

    def __init__(
        self, lists: ItemLists, batch_size: int, max_history: int, mask_share: float | None, *order: Any
    ) -> None:
        owners, sizes = _pieces(lists.lengths, max_history)
        super().__init__(len(sizes), max(1, round(batch_size / max(1.0, sizes.mean()))), *order)
        ends = np.cumsum(sizes)
        self.owners, self.values = torch.from_numpy(owners), torch.from_numpy(lists.values).long()
        self.starts, self.ends = torch.from_numpy(ends - sizes), torch.from_numpy(ends)
        # A piece includes the item before it, if the user has one.
        self.first = torch.maximum(self.starts - 1, torch.from_numpy(lists.offsets)[self.owners])
        self.mask_share, self.learnt = mask_share, torch.ones(len(self.values), dtype=torch.bool)
        self.drawn_for: int | None = None  # the epoch that `learnt` was drawn for

    def make(self, chosen: Sequence[Tensor]) -> list[TrainBatch]:
        return [self._batch(batch) for batch in chosen]

    def count(self, chosen: Tensor) -> int:
        return len(self._batch(chosen).positives)

    def _batch(self, chosen: Tensor) -> TrainBatch:
        first, end = self.first[chosen], self.ends[chosen]
        steps = torch.arange(int((end - first).max()))
        mask = steps < (end - first).unsqueeze(1)
        index = (first.unsqueeze(1) + steps).masked_fill(~mask, 0)
        history = self.values[index].masked_fill(~mask, 0)
        row, position = (mask & (index >= self.starts[chosen].unsqueeze(1)) & self._learnt()[index]).nonzero(
            as_tuple=True
        )
        users = UserBatch(self.owners[chosen][row], history, mask, positions=Positions(row, position))
        return TrainBatch(users, history[row, position])

    def _learnt(self) -> Tensor:
        """(n,) which train interactions are examples in this epoch: all, or those that are masked."""
        epoch = self.epoch()
        if self.mask_share is not None and self.drawn_for != epoch:
            source = generator("cpu", self.seed, "hidden", epoch)
            alone = torch.rand(self.n, generator=source) < LAST_ALONE
            piece = torch.repeat_interleave(torch.arange(self.n), self.ends - self.starts)
            hidden = (torch.rand(len(self.values), generator=source) < self.mask_share) & ~alone[piece]
            none = torch.zeros(self.n, dtype=torch.int64).index_add(0, piece, hidden.long()) == 0
            hidden[self.ends[none] - 1] = True
            self.learnt, self.drawn_for = hidden, epoch
        return self.learnt


def _pieces(lengths: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The list and the number of items of each piece, oldest first: all but a list's oldest piece have `size` items."""
    counts = -(-lengths // size)
    owners = np.repeat(np.arange(len(lengths)), counts)
    sizes = np.full(len(owners), size, dtype=np.int64)
    oldest = (np.cumsum(counts) - counts)[counts > 0]
    sizes[oldest] = (lengths - (counts - 1) * size)[counts > 0]
    return owners, sizes
