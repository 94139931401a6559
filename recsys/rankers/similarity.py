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

    def weighted(self, rows: csr_matrix) -> csr_matrix:
        """The rows, scaled such that their products are the similarities before shrinkage."""
        if self.weighting == COSINE:
            return _unit_rows(rows)
        with_column = np.bincount(rows.indices, minlength=rows.shape[1])
        n_rows = rows.shape[0]
        if self.weighting == TFIDF:
            return _unit_rows(rows @ diags_array(np.log((1 + n_rows) / (1 + with_column)) + 1))
        rarity = np.log1p((n_rows - with_column + 0.5) / (with_column + 0.5))
        lengths = np.diff(rows.indptr)
        relative = lengths / max(lengths.mean(), np.finfo(float).tiny)
        k1, b = self.bm25_k1, self.bm25_b
        return csr_matrix(diags_array((k1 + 1) / (1 + k1 * (1 - b + b * relative))) @ rows @ diags_array(rarity))

    def blocks(self, rows: csr_matrix) -> Iterator[NDArray[np.float64]]:
        """The matrix of similarities of all rows, some of its rows at a time."""
        weighted = self.weighted(rows)
        for start, stop in _steps(rows.shape[0]):
            block = (weighted[start:stop] @ weighted.T).toarray()
            if self.shrinkage > 0:
                shared = (rows[start:stop] @ rows.T).toarray()
                block *= shared / (shared + self.shrinkage)
            yield block


def cosine_blocks(vectors: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The cosines of all rows of a dense matrix, some rows at a time; a row of zeros is like no other."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    for start, stop in _steps(len(vectors)):
        yield unit[start:stop] @ unit.T


def nearest(blocks: Iterator[NDArray[Any]], k: int) -> tuple[Tensor, Tensor]:
    """Each row's `k` most similar other rows, most similar first, and their similarities: (n, k) int32 and float32.

    Where there are not as many others, the row itself fills up with similarity 0.
    """
    found, start = [], 0
    for block in blocks:
        itself = np.arange(len(block))
        block[itself, start + itself] = -np.inf
        found.append(torch.from_numpy(block).topk(k))
        start += len(block)
    values, columns = (torch.cat(parts) for parts in zip(*found, strict=True))
    return columns.int(), values.float().masked_fill(values == -torch.inf, 0.0)


def _unit_rows(rows: Any) -> csr_matrix:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return csr_matrix(diags_array(np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)) @ rows)


def _steps(n: int) -> Iterator[tuple[int, int]]:
    size = max(1, ENTRIES_AT_ONCE // max(1, n))
    return ((start, min(n, start + size)) for start in range(0, n, size))
