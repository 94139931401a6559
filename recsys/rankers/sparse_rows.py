"""A sparse matrix as weights of a model, and sums of its rows."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

ENTRIES_AT_ONCE = 8_000_000  # entries that are summed in one call


class SparseRows(nn.Module):
    """A sparse matrix (n_rows, n_columns) in buffers of fixed size, so that saved weights can be loaded.

    A new matrix has no entries. Zeros that are appended to saved `lengths` are rows without entries.

    Args:
        n_rows: Number of rows.
        n_columns: Number of columns.
        capacity: Maximum number of entries.

    Example:
        >>> matrix = SparseRows(2, 3, capacity=4)
        >>> matrix.store(csr_matrix([[1.0, 0, 2], [0, 3, 0]]))
        >>> matrix.sums(torch.tensor([[0, 0], [0, 1], [1, 1]]), 2)
        tensor([[1., 3., 2.],
                [0., 3., 0.]])
        >>> matrix.entries(torch.tensor([0, 0, 1]), torch.tensor([2, 1, 1]))
        tensor([2., 0., 3.])
    """

    lengths: Tensor
    columns: Tensor
    values: Tensor

    def __init__(self, n_rows: int, n_columns: int, capacity: int) -> None:
        super().__init__()
        self.n_columns = n_columns
        self.register_buffer("lengths", torch.zeros(n_rows, dtype=torch.int32))
        self.register_buffer("columns", torch.zeros(capacity, dtype=torch.int32))
        self.register_buffer("values", torch.zeros(capacity))

    def store(self, matrix: csr_matrix) -> None:
        """Store `matrix`, which has at most `capacity` entries."""
        matrix = matrix.sorted_indices()
        self.lengths.copy_(torch.from_numpy(np.diff(matrix.indptr)))
        for buffer, entries in ((self.columns, matrix.indices), (self.values, matrix.data)):
            buffer.zero_()[: matrix.nnz] = torch.from_numpy(entries)

    def matrix(self) -> csr_matrix:
        """The matrix for scipy; on a CPU it shares the buffers' memory."""
        starts = np.append(0, self.lengths.cumsum(0).cpu().numpy())
        entries = (buffer[: starts[-1]].cpu().numpy() for buffer in (self.values, self.columns))
        return csr_matrix((*entries, starts), shape=(len(self.lengths), self.n_columns))

    def entries(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Entries at `rows` and `columns`, which are broadcast against each other; 0 if there is none."""
        n = int(self.lengths.sum())
        row_idx = torch.arange(len(self.lengths), device=self.lengths.device)
        keys = row_idx.repeat_interleave(self.lengths.long()) * self.n_columns
        keys, wanted = keys + self.columns[:n], rows * self.n_columns + columns
        if n == 0:
            return self.values.new_zeros(wanted.shape)
        places = torch.searchsorted(keys, wanted).clamp(max=n - 1)
        return self.values[places].where(keys[places] == wanted, 0.0)

    def sums(self, places: Tensor, n_sums: int, weights: Tensor | None = None) -> Tensor:
        """(n_sums, n_columns): row `places[:, 0]` is the sum of the matrix's rows `places[:, 1]`, times `weights`.

        Args:
            places: (N, 2), the number of a sum and of a row of the matrix, in increasing order of sums.
            n_sums: Number of sums.
            weights: (N,) weight of each row in its sum; None for ones.
        """
        if places.device.type == "cpu":  # scipy adds in the same order, in a tenth of the time
            weights = torch.ones(len(places)) if weights is None else weights
            ends = places[:, 0].bincount(minlength=n_sums).cumsum(0).numpy()
            chosen = (weights.numpy(), places[:, 1].numpy(), np.append(0, ends))
            return torch.from_numpy((csr_matrix(chosen, shape=(n_sums, len(self.lengths))) @ self.matrix()).toarray())
        starts = self.lengths.cumsum(0) - self.lengths
        sums = self.values.new_zeros(n_sums * self.n_columns)
        lengths = self.lengths[places[:, 1]].long()
        for part in _parts(lengths):
            sum_idx, rows = places[part].T
            counts = lengths[part]
            entries = _ranges(starts[rows], counts)
            values = self.values[entries]
            if weights is not None:
                values = values * weights[part].repeat_interleave(counts)
            targets = (sum_idx * self.n_columns).repeat_interleave(counts) + self.columns[entries]
            sums.index_add_(0, targets, values)
        return sums.view(n_sums, self.n_columns)


def _parts(lengths: Tensor) -> list[slice]:
    """Slices of rows that have about `ENTRIES_AT_ONCE` entries together."""
    sizes = torch.bincount(lengths.cumsum(0) // ENTRIES_AT_ONCE)
    stops = sizes.cumsum(0).tolist()
    return [slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False) if stop > start]


def _ranges(starts: Tensor, lengths: Tensor) -> Tensor:
    """The numbers from each start on, `lengths` of them, one range after the other."""
    before = lengths.cumsum(0) - lengths
    shifts = (starts - before).repeat_interleave(lengths)
    return shifts + torch.arange(len(shifts), device=shifts.device)
