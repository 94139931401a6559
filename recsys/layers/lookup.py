"""Rows of a table by index, and their products with vectors, with cheap gradients."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

SUM = 0  # the mode of torch.embedding_bag


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """`table[rows]`: vectors (*, dim) of a table (n, dim) for indices of any shape (*).

    The gradient adds each entry's to its row one after the other, which on a CPU takes half as long as that of
    `torch.nn.functional.embedding`, and a tenth of that of indexing.

    Example:
        >>> take_rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1, 1, 0]])).tolist()
        [[[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]]
    """
    return table.index_select(0, rows.reshape(-1)).view(*rows.shape, *table.shape[1:])


def row_products(vectors: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    """Products (B, N) of each vector (B, dim) with its own rows (B, N) of a table (n, dim).

    On a CPU neither the rows' vectors (B, N, dim) nor their gradients are ever in memory, only numbers by pair.

    Example:
        >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> row_products(torch.tensor([[1.0, 10.0]]), table, torch.tensor([[1, 0, 1]])).tolist()
        [[43.0, 21.0, 43.0]]
    """
    # Torch's sparse matrix has room for as many entries as a dense one.
    fits = _fits(vectors) and _fits(table) and vectors.dtype == table.dtype and 0 < rows.shape[1] <= len(table)
    if fits and len(rows):
        return _RowProducts.apply(vectors, table, rows)
    return plain_row_products(vectors, take_rows(table, rows))


def plain_row_products(vectors: Tensor, row_vectors: Tensor) -> Tensor:
    """Products (B, N) of each vector (B, dim) with its own N vectors (B, N, dim)."""
    # Not a batched matrix product, which is several times slower for so few rows of each vector.
    return (row_vectors * vectors.unsqueeze(1)).sum(dim=-1)


def _accept_sparse_csr() -> None:
    """Let torch give its warning that sparse CSR tensors may yet change, which it gives once, where nobody reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1))


_accept_sparse_csr()


def _fits(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)


class _RowProducts(torch.autograd.Function):
    """With A (B, n) the sparse matrix of the incoming gradients: A·table for the vectors, Aᵀ·vectors for the table."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, table, rows)
        starts = torch.arange(0, rows.numel() + 1, rows.shape[1])
        wanted = torch.sparse_csr_tensor(
            starts, rows.reshape(-1), vectors.new_zeros(rows.numel()), (len(rows), len(table)), check_invariants=False
        )
        return torch.sparse.sampled_addmm(wanted, vectors, table.T, beta=0.0).values().view(rows.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        vectors, table, rows = (tensor.detach() for tensor in ctx.saved_tensors)  # else embedding_bag plans a gradient
        of_vectors = of_table = None
        if ctx.needs_input_grad[0]:
            of_vectors = _weighted_sums(table, rows, gradient)
        if ctx.needs_input_grad[1]:
            order, starts = _grouped(rows.reshape(-1).numpy(), len(table))
            owners = torch.from_numpy(order // rows.shape[1])
            weights = take_rows(gradient.reshape(-1), torch.from_numpy(order))
            of_table = _weighted_sums(vectors, owners, weights, torch.from_numpy(starts))
        return of_vectors, of_table, None


def _weighted_sums(table: Tensor, rows: Tensor, weights: Tensor, starts: Tensor | None = None) -> Tensor:
    """Σ weight × row, for each line of `rows`, or for each stretch of it that begins at `starts`."""
    starts = torch.arange(0, rows.numel(), rows.shape[1]) if starts is None else starts
    # What torch.nn.functional.embedding_bag calls, less its checks, which take as long as the sums.
    return torch.embedding_bag(table, rows.reshape(-1), starts, False, SUM, False, weights.reshape(-1))[0]


def _grouped(values: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order that sorts values of 0…n-1, equal ones as they come, and where each value begins in it, (n,)."""
    # Numpy has a radix sort for 16 bits, many times as fast as other sorts; a second pass takes the upper bits.
    order = np.argsort(values.astype(np.uint16), kind="stable")
    if n > 2**16:
        order = order[np.argsort((values[order] >> 16).astype(np.uint16), kind="stable")]
    counts = np.bincount(values, minlength=n)
    return order, np.cumsum(counts) - counts
