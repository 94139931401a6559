"""Singular value decompositions that are exact and the same for any number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

DENSE = 1_000_000  # matrices with at most this number of entries are decomposed by LAPACK, as dense ones


def first_singular_vectors(matrix: csr_matrix, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The n largest singular values (n,) of a matrix (m, p), in descending order, and their right vectors (n, p).

    At most min(m, p) are returned. The largest entry of each vector is positive. The result is exact: by LAPACK
    for small matrices, else by ARPACK (Lehoucq, Sorensen and Yang 1998). It does not depend on the number of
    threads.
    """
    from scipy.linalg import svd
    from scipy.sparse.linalg import svds
    from threadpoolctl import threadpool_limits

    least = min(matrix.shape)
    with threadpool_limits(1, user_api="blas"):
        if n >= least - 1 or np.prod(matrix.shape) <= DENSE:
            _, values, vectors = svd(matrix.toarray(), full_matrices=False)
        else:
            start = np.random.default_rng(0).standard_normal(least)
            _, values, vectors = svds(matrix, n, v0=start, random_state=0)
    order = np.argsort(-values, kind="stable")[:n]
    values, vectors = values[order], vectors[order]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1, keepdims=True), axis=1)
    return values, vectors * np.sign(largest)
