"""Similarities of the rows of a sparse matrix: weightings, shrinkage, and each row's most similar others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from recsys.schema import ConfigError

WEIGHTINGS = COSINE, TFIDF, BM25 = "cosine", "tfidf", "bm25"
ENTRIES_AT_ONCE = 20_000_000  # of similarities in memory


@dataclass(frozen=True)
class Similarity:
    """How alike two rows of a matrix of ones are.

    Attributes:
        weighting: `cosine` of the rows; `tfidf`: cosine of the rows, columns weighted by ln((1 + n)/(1 + n_c)) + 1 with
            n rows, n_c of which have column c; `bm25`: product of the rows in BM25 weights (Robertson and Zaragoza
            2009).
        shrinkage: h of the factor n_ab/(n_ab + h), with n_ab columns that both rows have (Bell and Koren 2007): few
            shared columns count for less.
        bm25_k1: Of BM25: how much less a long row's columns count.
        bm25_b: Of BM25: how far length is told from the mean length, 0 to 1.

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
        if self.shrinkage < 0:
            raise ConfigError(f"ranker.shrinkage is {self.shrinkage}; expected 0 or more.")
        if self.bm25_k1 < 0 or not 0 <= self.bm25_b <= 1:
            raise ConfigError(
                f"ranker.bm25_k1 is {self.bm25_k1} and ranker.bm25_b is {self.bm25_b}; expected 0 or more, and 0 to 1."
            )

    def column_weights(self, rows: csr_matrix) -> NDArray[np.float64]:
        """(n_columns,) what a shared column counts, before its square."""
        if self.weighting == COSINE:
            return np.ones(rows.shape[1])
        n_rows, with_column = rows.shape[0], np.bincount(rows.indices, minlength=rows.shape[1])
        if self.weighting == TFIDF:
            return np.log((1 + n_rows) / (1 + with_column)) + 1
        return np.log1p((n_rows - with_column + 0.5) / (with_column + 0.5))

    def row_scales(self, rows: csr_matrix) -> NDArray[np.float64]:
        """(n_rows,) what makes up for the length of a row."""
        if self.weighting == BM25:
            lengths = np.diff(rows.indptr)
            relative = lengths / max(lengths.mean(), np.finfo(float).tiny)
            return (self.bm25_k1 + 1) / (1 + self.bm25_k1 * (1 - self.bm25_b + self.bm25_b * relative))
        return inverse_power(np.sqrt(rows @ self.column_weights(rows) ** 2), 1.0)

    def blocks(self, rows: csr_matrix) -> Iterator[NDArray[np.float64]]:
        """The matrix of similarities of all rows, some of its rows at a time."""
        weighted = diags_array(self.row_scales(rows)) @ rows @ diags_array(self.column_weights(rows))
        blocks = product_blocks(weighted, weighted.T)
        if self.shrinkage == 0:
            return blocks
        shared = product_blocks(rows, rows.T)
        return (block * (n / (n + self.shrinkage)) for block, n in zip(blocks, shared, strict=True))


def product_blocks(left: Any, right: Any) -> Iterator[NDArray[np.float64]]:
    """The product of two sparse matrices, dense, some of its rows at a time."""
    left, right = csr_matrix(left), csr_matrix(right)
    for start, stop in _steps(left.shape[0], right.shape[1]):
        yield (left[start:stop] @ right).toarray()


def cosine_blocks(vectors: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The cosines of all rows of a dense matrix, some rows at a time; a row of zeros is like no other."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    for start, stop in _steps(len(vectors), len(vectors)):
        yield unit[start:stop] @ unit.T


def most_similar(blocks: Iterator[NDArray[Any]], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each row's `k` most similar other rows, most similar first, and their similarities: two of (n, k).

    Where there are not as many others, the row itself fills up with similarity 0.
    """
    found, start = [], 0
    for block in blocks:
        itself = np.arange(len(block))
        block[itself, start + itself] = -np.inf
        found.append(torch.from_numpy(block).topk(k))
        start += len(block)
    values, columns = (torch.cat(parts) for parts in zip(*found, strict=True))
    return columns.numpy(), values.masked_fill(values == -torch.inf, 0.0).numpy()


def nearest(blocks: Iterator[NDArray[Any]], k: int) -> csr_matrix:
    """The matrix of similarities with each row's `k` most similar other rows alone."""
    columns, values = most_similar(blocks, k)
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
