"""Many lists of item indices as two flat arrays: `values`, and `offsets`, where each list begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ItemLists:
    """Lists 0…n-1: list `i` is `values[offsets[i]:offsets[i + 1]]`, oldest first if the order has a meaning.

    Attributes:
        offsets: (n + 1,) int64.
        values: (total,) int32 item indices.
    """

    offsets: NDArray[np.int64]
    values: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) the number of items in each list."""
        return np.diff(self.offsets)

    @classmethod
    def from_pairs(
        cls, rows: NDArray[Any], items: NDArray[Any], n_rows: int, order: NDArray[Any] | None = None
    ) -> ItemLists:
        """Group `items` by `rows`; inside a list by `order` (ascending) if given, else in the given order.

        Example:
            >>> lists = ItemLists.from_pairs(np.array([1, 0, 1]), np.array([7, 8, 9]), 3, np.array([5, 0, 2]))
            >>> [lists[row].tolist() for row in range(3)]
            [[8], [9, 7], []]
        """
        sorting = np.argsort(rows, kind="stable") if order is None else np.lexsort((order, rows))
        offsets = np.zeros(n_rows + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows, minlength=n_rows), out=offsets[1:])
        return cls(offsets, np.ascontiguousarray(items[sorting], dtype=np.int32))

    def pairs(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """All (position in `rows`, item) pairs of the chosen lists, (2, n).

        Example:
            >>> ItemLists(np.array([0, 2, 2, 3]), np.array([4, 5, 6], dtype=np.int32)).pairs(np.array([2, 0])).tolist()
            [[0, 1, 1], [6, 4, 5]]
        """
        lengths = self.lengths[rows]
        position = np.repeat(np.arange(len(rows)), lengths)
        first = np.cumsum(lengths) - lengths
        within = np.arange(lengths.sum()) - np.repeat(first, lengths)
        return np.stack([position, self.values[np.repeat(self.offsets[rows], lengths) + within].astype(np.int64)])
