"""Residual k-means: vectors as short sequences of codes, each of which quantises the residual of those before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def residual_kmeans(
    vectors: NDArray[np.float64], fitted_on: NDArray[np.bool_], n_levels: int, n_codes: int, seed: int
) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    """Codes (n, n_levels) of vectors (n, dim), and the codebook (at most n_codes, dim) of each level.

    Each level clusters the residuals of the level before it, by the k-means of scikit-learn. The centres are fitted on
    the vectors of `fitted_on` (n,); all others get the nearest centre. A level has fewer codes if there are fewer
    distinct residuals. The result does not depend on the number of threads.

    Example:
        >>> vectors = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> codes, books = residual_kmeans(vectors, np.ones(4, dtype=bool), n_levels=2, n_codes=2, seed=0)
        >>> sorted(round(float(centre), 3) for centre in books[0][:, 0])
        [0.5, 10.5]
        >>> (books[0][codes[:, 0]] + books[1][codes[:, 1]])[:, 0].round(3).tolist()
        [0.0, 1.0, 10.0, 11.0]
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    residuals = np.array(vectors, dtype=np.float64, order="C")
    codes, books = np.zeros((len(residuals), n_levels), dtype=np.int64), []
    with threadpool_limits(1):
        for level in range(n_levels):
            own = residuals[fitted_on]
            n_distinct = len(np.unique(own, axis=0))
            if n_distinct == 0:
                books.append(np.zeros((1, residuals.shape[1])))
                continue
            kmeans = KMeans(min(n_codes, n_distinct), n_init=1, random_state=seed + level).fit(own)
            codes[:, level] = kmeans.predict(residuals)
            books.append(kmeans.cluster_centers_)
            residuals -= books[level][codes[:, level]]
    return codes, books
