"""Texts as tokens in memory, concatenated in any order without a loop over texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """Token sequences side by side.

    Attributes:
        ids: (n, L), padded at the right.
        lengths: (n,) how many of them are real.
    """

    ids: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def mask(self) -> Tensor:
        """(n, L) bool, True for real ones."""
        return torch.arange(self.ids.shape[1], device=self.ids.device) < self.lengths.unsqueeze(1)

    def __getitem__(self, rows: Tensor) -> Tokens:
        lengths = self.lengths[rows]
        return Tokens(self.ids[rows, : int(lengths.max())], lengths)

    def followed_by(self, others: Tokens) -> Tokens:
        """Each of these sequences (n) and then that of `others` (n)."""
        lengths = self.lengths + others.lengths
        ids = self.ids.new_zeros(len(self), int(lengths.max()) if len(self) else 0)
        for part, starts in ((self, torch.zeros_like(self.lengths)), (others, self.lengths)):
            rows, places = part.mask.nonzero(as_tuple=True)
            ids[rows, places + starts[rows]] = part.ids[rows, places]
        return Tokens(ids, lengths)


class TokenLists:
    """Many token sequences as one flat tensor.

    Args:
        lists: The sequences.

    Example:
        >>> lists = TokenLists([[7, 8], [9], []])
        >>> lists.joined(torch.tensor([[1, 0], [2, -1]])).ids.tolist()
        [[9, 7, 8], [0, 0, 0]]
    """

    def __init__(self, lists: Sequence[Sequence[int]]) -> None:
        self.lengths = torch.tensor([len(ids) for ids in lists])
        self.starts = self.lengths.cumsum(0) - self.lengths
        parts = [np.asarray(ids, dtype=np.int64) for ids in lists]
        self.flat = torch.from_numpy(np.concatenate(parts)) if parts else torch.empty(0, dtype=torch.int64)

    def joined(self, table: Tensor) -> Tokens:
        """The sequences of each row of `table` (n, R), one after the other; -1 means none."""
        owners = (table >= 0).nonzero()[:, 0]
        rows = table[table >= 0]
        sizes = self.lengths[rows]
        lengths = torch.zeros(len(table), dtype=torch.int64).index_add_(0, owners, sizes)
        part = torch.arange(len(rows)).repeat_interleave(sizes)
        places = torch.arange(len(part))
        tokens = self.flat[self.starts[rows][part] + places - _starts(sizes)[part]]
        owner = owners[part]
        ids = torch.zeros(len(table), int(lengths.max()) if len(table) else 0, dtype=torch.int64)
        ids[owner, places - _starts(lengths)[owner]] = tokens
        return Tokens(ids, lengths)


def _starts(sizes: Tensor) -> Tensor:
    return sizes.cumsum(0) - sizes
