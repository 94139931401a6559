"""Similarities of the rows of a sparse matrix: weightings, shrinkage, and each row's most similar others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from torch import Tensor

from recsys.schema import ConfigError
from recsys.support.number_checks import check_number

WEIGHTINGS = COSINE, TFIDF, BM25 = "cosine", "tfidf", "bm25"
ENTRIES_AT_ONCE = 2_000_000  # similarities in memory
TRIMS = 10  # of a symmetric product: columns are dropped in steps of at least a tenth
TIE = 2.0**-50  # subtracted from a similarity by column, so that equal ones are in the order of their columns


@dataclass(frozen=True)
class Similarity:
    """Similarity of two rows of a binary matrix.

    Attributes:
        weighting: `cosine` of the rows; `tfidf`: cosine of the rows, columns weighted by ln((1 + n)/(1 + n_c)) + 1 with
            n rows, n_c of which have column c; `bm25`: product of the rows in BM25 weights (Robertson and Zaragoza
            2009).
        shrinkage: h of the factor n_ab/(n_ab + h), with n_ab columns that both rows have (Bell and Koren 2007): it
            lowers similarities from few shared columns.
        bm25_k1: k₁ of BM25: how much longer rows are weighted less.
        bm25_b: b of BM25: how strongly a row's length, relative to the mean length, lowers its weights, 0 to 1.

    Raises:
        ConfigError: If a value is impossible.
    """

    weighting: str = COSINE
    shrinkage: float = 0.0
    bm25_k1: float = 1.2
    bm25_b: float = 0.75

    def __post_init__(self) -> None:
        if self.weighting not in WEIGHTINGS:
            raise ConfigError(f"ranker.weighting is {self.weighting!r}; expected one of {', '.join(WEIGHTINGS)}.")
        check_number("ranker.shrinkage", self.shrinkage, at_least=0)
        check_number("ranker.bm25_k1", self.bm25_k1, at_least=0)
        check_number("ranker.bm25_b", self.bm25_b, at_least=0, at_most=1)

    def column_weights(self, rows: csr_matrix) -> NDArray[np.float64]:
        """(n_columns,) weight of a column in a row; a shared column counts with its square."""
        if self.weighting == COSINE:
            return np.ones(rows.shape[1])
        n_rows, with_column = rows.shape[0], np.bincount(rows.indices, minlength=rows.shape[1])
        if self.weighting == TFIDF:
            return np.log((1 + n_rows) / (1 + with_column)) + 1
        return np.log1p((n_rows - with_column + 0.5) / (with_column + 0.5))

    def row_scales(self, rows: csr_matrix) -> NDArray[np.float64]:
        """(n_rows,) factor of a row that normalises its length."""
        if self.weighting == BM25:
            lengths = np.diff(rows.indptr)
            relative = lengths / max(lengths.mean(), np.finfo(float).tiny)
            return (self.bm25_k1 + 1) / (1 + self.bm25_k1 * (1 - self.bm25_b + self.bm25_b * relative))
        return inverse_power(np.sqrt(rows @ self.column_weights(rows) ** 2), 1.0)

    def most_similar(self, rows: csr_matrix, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Each row's `k` most similar other rows, see `most_similar`."""
        return most_similar_of_half(self.blocks(rows, symmetric=True), rows.shape[0], k)

    def blocks(self, rows: csr_matrix, symmetric: bool = False) -> Iterator[NDArray[np.float64]]:
        """All similarities, some rows at a time; half of them with `symmetric`, see `product_blocks`."""
        weighted = diags_array(self.row_scales(rows)) @ rows @ diags_array(self.column_weights(rows))
        blocks = product_blocks(weighted, weighted.T, symmetric)
        if self.shrinkage > 0:
            shared = product_blocks(rows, rows.T, symmetric)
            return (block * (n / (n + self.shrinkage)) for block, n in zip(blocks, shared, strict=True))
        return blocks


def product_blocks(left: Any, right: Any, symmetric: bool = False) -> Iterator[NDArray[np.float64]]:
    """The product of two sparse matrices, dense, some of its rows at a time.

    Args:
        left: (n, m).
        right: (m, p).
        symmetric: Whether the product is symmetric. Then a block that begins at row i has the columns from i on only.
    """
    left, right, first = csr_matrix(left), csr_matrix(right), 0
    for start, stop in _steps(left.shape[0], right.shape[1]):
        if symmetric and start - first >= right.shape[1] / TRIMS:
            right, first = right[:, start - first :], start
        block = (left[start:stop] @ right).toarray()
        yield block[:, start - first :] if symmetric else block


def cosine_blocks(vectors: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The cosines of all rows of a dense matrix, some rows at a time; 0 for a row of zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    for start, stop in _steps(len(vectors), len(vectors)):
        yield unit[start:stop] @ unit.T


def most_similar(blocks: Iterator[NDArray[Any]], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each row's `k` most similar other rows, most similar first, and their similarities: two of (n, k).

    Of equal similarities those with the smallest column come first. If there are fewer than `k` others, the row itself
    is added with similarity 0.
    """
    found, start = [], 0
    for block in blocks:
        itself = np.arange(len(block))
        block[itself, start + itself] = -np.inf
        values = torch.from_numpy(block).double()
        found.append((values * (1 - TIE * values.sign() * torch.arange(block.shape[1]))).topk(k))
        start += len(block)
    values, columns = (torch.cat(parts) for parts in zip(*found, strict=True))
    return columns.numpy(), values.masked_fill(values == -torch.inf, 0.0).numpy()


def most_similar_of_half(
    blocks: Iterator[NDArray[np.float64]], n: int, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """`most_similar` of a symmetric matrix (n, n), from the half of it that `product_blocks` yields."""
    values, columns = torch.full((n, k), -torch.inf, dtype=torch.float64), torch.zeros(n, k, dtype=torch.int64)
    start = 0
    for block in map(torch.from_numpy, blocks):
        stop = start + len(block)
        block.fill_diagonal_(-torch.inf)
        _keep_best(values[start:stop], columns[start:stop], block, start)
        _keep_best(values[stop:], columns[stop:], block[:, stop - start :].T, start)
        start = stop
    return columns.numpy(), values.masked_fill(values == -torch.inf, 0.0).numpy()


def _keep_best(values: Tensor, columns: Tensor, found: Tensor, first: int) -> None:
    """Merge the largest of `found` (R, C), with columns from `first` on, into `values` and `columns` (R, k)."""
    k, numbers = values.shape[1], torch.arange(first, first + found.shape[1])
    rows = (found.amax(dim=1) > values[:, -1]).nonzero().squeeze(1)
    best, places = (found[rows] * (1 - TIE * numbers.double())).topk(min(k, found.shape[1]), dim=1)  # none is negative
    kept, order = torch.cat([values[rows], best], dim=1).topk(k, dim=1)
    columns[rows] = torch.cat([columns[rows], numbers[places]], dim=1).gather(1, order)
    values[rows] = kept


def largest(values: Tensor, k: int) -> Tensor:
    """(B, n) bool: the `k` largest of each row of `values`; of equal ones those with the smallest column.

    Example:
        >>> largest(torch.tensor([[1.0, 3.0, 1.0, 1.0]]), 3).tolist()
        [[True, True, True, False]]
    """
    last = values.topk(k, dim=1).values[:, -1:]
    chosen = values >= last
    (rows,) = (chosen.sum(dim=1) > k).nonzero(as_tuple=True)
    is_tied = values[rows] == last[rows]
    n_open = k - (values[rows] > last[rows]).sum(dim=1, keepdim=True)
    chosen[rows] &= ~is_tied | (is_tied.cumsum(dim=1) <= n_open)
    return chosen


def nearest(blocks: Iterator[NDArray[Any]], k: int) -> csr_matrix:
    """The matrix of similarities with each row's `k` most similar other rows only."""
    return neighbors_matrix(*most_similar(blocks, k))


def neighbors_matrix(columns: NDArray[np.int64], values: NDArray[np.float64]) -> csr_matrix:
    """The matrix (n, n) with entries `values` (n, k) at `columns` (n, k), without those that are 0."""
    n_rows = len(columns)
    starts = np.arange(n_rows + 1) * columns.shape[1]
    matrix = csr_matrix((values.ravel(), columns.ravel(), starts), shape=(n_rows, n_rows))
    matrix.eliminate_zeros()
    return matrix


def inverse_power(values: NDArray[Any], exponent: float) -> NDArray[np.float64]:
    """values^(−exponent), and 0 for the power of 0.

    Example:
        >>> inverse_power(np.array([0, 4]), 0.5)
        array([0. , 0.5])
    """
    return np.power(values, -exponent, out=np.zeros(len(values)), where=values > 0, dtype=float)


def _steps(n_rows: int, n_columns: int) -> Iterator[tuple[int, int]]:
    size = max(1, ENTRIES_AT_ONCE // max(1, n_columns))
    return ((start, min(n_rows, start + size)) for start in range(0, n_rows, size))
