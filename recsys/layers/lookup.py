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

    On a CPU the gradient, a sequential sum, takes half the time of that of `torch.nn.functional.embedding`, and a tenth
    of that of indexing.

    Example:
        >>> take_rows(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1, 1, 0]])).tolist()
        [[[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]]
    """
    return table.index_select(0, rows.reshape(-1)).view(*rows.shape, *table.shape[1:])


def row_products(vectors: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    """Products (B, N) of each vector (B, dim) with its own rows (B, N) of a table (n, dim).

    On a CPU neither the rows' vectors (B, N, dim) nor their gradients are held in memory, only a number for each pair.

    Example:
        >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> row_products(torch.tensor([[1.0, 10.0]]), table, torch.tensor([[1, 0]])).tolist()
        [[43.0, 21.0]]
    """
    if _sparse_fits(vectors, table, rows):
        return _RowProducts.apply(vectors, table, rows)
    return plain_row_products(vectors, take_rows(table, rows))


def row_sums(weights: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    """Sums (B, dim) of rows (B, N) of a table (n, dim), each by its weight (B, N); as cheap as `row_products`.

    Example:
        >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> row_sums(torch.tensor([[1.0, 10.0]]), table, torch.tensor([[1, 0]])).tolist()
        [[13.0, 24.0]]
    """
    if _sparse_fits(weights, table, rows):
        return _RowSums.apply(weights, table, rows)
    return (weights.unsqueeze(-1) * take_rows(table, rows)).sum(dim=1)


def plain_row_products(vectors: Tensor, row_vectors: Tensor) -> Tensor:
    """Products (B, N) of each vector (B, dim) with its own N vectors (B, N, dim)."""
    # Not a batched matrix product, which is several times slower for so few rows of each vector.
    return (row_vectors * vectors.unsqueeze(1)).sum(dim=-1)


def _sparse_fits(values: Tensor, table: Tensor, rows: Tensor) -> bool:
    if torch.compiler.is_compiling():  # an exported graph has only standard operators, for batches of any size
        return False
    plain = table.device.type == "cpu" and table.dtype in (torch.float32, torch.float64) and values.dtype == table.dtype
    # A sparse matrix of torch cannot have more entries than a dense one.
    return plain and len(rows) > 0 and 0 < rows.shape[1] <= len(table)


def _accept_sparse_csr() -> None:
    """Suppress torch's warning that sparse CSR tensors are in beta, which it gives once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1))


_accept_sparse_csr()


# Let A (B, n) be the sparse matrix with an entry for each of `rows`. Products are vectors·tableᵀ at the entries of A,
# and sums are A·table. The gradient of one with respect to vectors or weights is the other; for the table it is
# Aᵀ·vectors.


class _RowProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vectors: Tensor, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, table, rows)
        return _products(vectors, table, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        vectors, table, rows = (tensor.detach() for tensor in ctx.saved_tensors)  # or embedding_bag prepares a gradient
        of_vectors = _sums(gradient, table, rows) if ctx.needs_input_grad[0] else None
        of_table = _sums_by_row(gradient, vectors, rows, len(table)) if ctx.needs_input_grad[1] else None
        return of_vectors, of_table, None


class _RowSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(weights, table, rows)
        return _sums(weights.detach(), table.detach(), rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weights, table, rows = (tensor.detach() for tensor in ctx.saved_tensors)
        of_weights = _products(gradient, table, rows) if ctx.needs_input_grad[0] else None
        of_table = _sums_by_row(weights, gradient, rows, len(table)) if ctx.needs_input_grad[1] else None
        return of_weights, of_table, None


def _products(vectors: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    starts, zeros = torch.arange(0, rows.numel() + 1, rows.shape[1]), vectors.new_zeros(rows.numel())
    shape = (len(rows), len(table))
    entries = torch.sparse_csr_tensor(starts, rows.reshape(-1), zeros, shape, check_invariants=False)
    return torch.sparse.sampled_addmm(entries, vectors, table.T, beta=0.0).values().view(rows.shape)


def _sums(weights: Tensor, table: Tensor, rows: Tensor) -> Tensor:
    return bag_sums(weights.reshape(-1), table, rows.reshape(-1), torch.arange(0, rows.numel(), rows.shape[1]))


def _sums_by_row(weights: Tensor, vectors: Tensor, rows: Tensor, n: int) -> Tensor:
    """(n, dim): for each row of the table, the sum of the `vectors` whose `rows` contain it, each by its weight."""
    order, starts = _grouped(rows.reshape(-1).numpy(), n)
    owners = torch.from_numpy(order // rows.shape[1])
    return bag_sums(take_rows(weights.reshape(-1), torch.from_numpy(order)), vectors, owners, torch.from_numpy(starts))


def bag_sums(weights: Tensor, table: Tensor, rows: Tensor, starts: Tensor) -> Tensor:
    """Sums (n, dim) of the rows (m,) of a table from each start (n,) to the next, each by its weight (m,); no gradient.

    It is the product of a sparse matrix in compressed rows with the table, in a third of the time of torch's own.

    Example:
        >>> table, rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0, 1, 1])
        >>> bag_sums(torch.tensor([1.0, 10.0, 2.0]), table, rows, torch.tensor([0, 2])).tolist()
        [[31.0, 42.0], [6.0, 8.0]]
    """
    # torch.nn.functional.embedding_bag without its checks, which take as long as the sums.
    return torch.embedding_bag(table, rows, starts, False, SUM, False, weights)[0]


def _grouped(values: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order that sorts values of 0…n-1, stable, and where each value begins in it, (n,)."""
    # Numpy's radix sort of 16-bit numbers is many times as fast as its other sorts; a second pass sorts the upper bits.
    order = np.argsort(values.astype(np.uint16), kind="stable")
    if n > 2**16:
        order = order[np.argsort((values[order] >> 16).astype(np.uint16), kind="stable")]
    counts = np.bincount(values, minlength=n)
    return order, np.cumsum(counts) - counts
