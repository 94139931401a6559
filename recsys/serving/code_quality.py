"""Quality of semantic IDs: collisions, use of the codes, and neighbours kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 256  # items whose distances to all others are in memory at once


@dataclass(frozen=True)
class CodeQuality:
    """Measures of the codes of a catalogue.

    Attributes:
        n_items: Number of items.
        n_colliding: Number of items that share all codes with another item.
        largest_group: Largest number of items with the same codes.
        used: Number of different codes in use, by level.
        entropy: Entropy of the distribution of items over codes, in bits, by level.
        neighbours_kept: Mean share of an item's k nearest items by original vectors that are also among its k nearest
            by reconstructed vectors; None for fewer than two items.
        k: Number of neighbours of an item.
    """

    n_items: int
    n_colliding: int
    largest_group: int
    used: list[int]
    entropy: list[float]
    neighbours_kept: float | None
    k: int


def code_quality(
    codes: NDArray[np.int64],
    vectors: NDArray[np.floating],
    reconstructed: NDArray[np.floating],
    k: int,
    n_sampled: int,
    seed: int,
) -> CodeQuality:
    """Measure the codes of items.

    Args:
        codes: (n_items, n_levels) codes of all items.
        vectors: (n_items, dim) vectors that the codes were made from.
        reconstructed: (n_items, dim) vectors that the codes represent.
        k: Number of neighbours of an item, by Euclidean distance; ties are broken by the index.
        n_sampled: Largest number of items whose neighbours are compared.
        seed: Seed of the sample of these items.
    """
    groups = np.unique(codes, axis=0, return_counts=True)[1]
    counts = [np.unique(column, return_counts=True)[1] for column in codes.T]
    shares = [count / len(codes) for count in counts]
    k = min(k, len(codes) - 1)
    return CodeQuality(
        n_items=len(codes),
        n_colliding=int(groups[groups > 1].sum()),
        largest_group=int(groups.max()),
        used=[len(count) for count in counts],
        entropy=[float(-(share * np.log2(share)).sum()) + 0.0 for share in shares],
        neighbours_kept=_neighbours_kept(vectors, reconstructed, k, n_sampled, seed) if k else None,
        k=k,
    )


def _neighbours_kept(
    vectors: NDArray[np.floating], reconstructed: NDArray[np.floating], k: int, n_sampled: int, seed: int
) -> float:
    rows = np.arange(len(vectors))
    if len(rows) > n_sampled:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), n_sampled, replace=False))
    shared = 0
    for chunk in np.split(rows, range(AT_ONCE, len(rows), AT_ONCE)):
        is_near = [_is_near(space.astype(np.float64), chunk, k) for space in (vectors, reconstructed)]
        shared += int((is_near[0] & is_near[1]).sum())
    return shared / (k * len(rows))


def _is_near(vectors: NDArray[np.float64], rows: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """(len(rows), n) whether an item is among the k nearest of these rows; a row is no neighbour of itself."""
    squares = np.square(vectors).sum(axis=1)
    distances = squares[rows, None] - 2 * vectors[rows] @ vectors.T + squares
    distances[np.arange(len(rows)), rows] = np.inf
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    found = np.zeros(distances.shape, dtype=bool)
    np.put_along_axis(found, nearest, True, axis=1)
    return found
