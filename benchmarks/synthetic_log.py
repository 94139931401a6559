"""A synthetic log with power-law skew, written as RecBole's atomic file: for sizes that no shipped data set has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

USER_SKEW, ITEM_SKEW = 0.6, 0.8  # exponents: the weight of the user or item of rank r is r^-skew


def write_log(path: Path, n_users: int, n_items: int, n_interactions: int, seed: int = 0) -> Path:
    """Write distinct (user, item) pairs, drawn without replacement in proportion to the product of their weights.

    Timestamps are drawn uniformly from ten years, in seconds. Memory grows with users × items; with more than a hundred
    million of these, pairs are drawn by `drawn_pairs`.
    """
    generator = np.random.default_rng(seed)
    if n_users * n_items > 100_000_000:
        ranks = drawn_pairs((n_users, n_items, n_interactions), (USER_SKEW, ITEM_SKEW), generator)
        users, items = (generator.permutation(n)[rank] for n, rank in zip((n_users, n_items), ranks, strict=True))
    else:
        users, items = _sampled_pairs((n_users, n_items, n_interactions), generator)
    log = {
        "user_id:token": users + 1,
        "item_id:token": items + 1,
        "timestamp:float": generator.integers(1_000_000_000, 1_315_360_000, n_interactions),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(log).write_csv(path, separator="\t")
    return path


def _sampled_pairs(sizes: tuple[int, int, int], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n_users, n_items, n_interactions = sizes
    weights = np.outer(_weights(n_users, USER_SKEW, generator), _weights(n_items, ITEM_SKEW, generator)).ravel()
    # The n smallest of Exponential(weight) are a weighted sample without replacement (Efraimidis and Spirakis, 2006).
    arrivals = generator.standard_exponential(len(weights)) / weights
    pairs = generator.permutation(np.argpartition(arrivals, n_interactions)[:n_interactions])
    return pairs // n_items, pairs % n_items


def drawn_pairs(
    sizes: tuple[int, int, int], skews: tuple[float, float], generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of distinct pairs with power-law skew, in random order, drawn until there are enough.

    Memory grows with pairs alone, and the pairs of frequent users and items are fewer than without what is drawn twice.

    Args:
        sizes: Numbers of users, items and pairs.
        skews: The exponents of users and items.
        generator: What draws.
    """
    n_users, n_items, n_pairs = sizes
    user_share, item_share = (_share(n, skew) for n, skew in zip((n_users, n_items), skews, strict=True))
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < n_pairs:
        users = generator.choice(n_users, n_pairs // 2, p=user_share)
        items = generator.choice(n_items, n_pairs // 2, p=item_share)
        pairs = np.unique(np.append(pairs, users * n_items + items))
    pairs = generator.permutation(pairs)[:n_pairs]
    return pairs // n_items, pairs % n_items


def _share(n: int, skew: float) -> np.ndarray:
    weights = np.arange(1.0, n + 1) ** -skew
    return weights / weights.sum()


def _weights(n: int, skew: float, generator: np.random.Generator) -> np.ndarray:
    return generator.permutation(np.arange(1.0, n + 1) ** -skew)
