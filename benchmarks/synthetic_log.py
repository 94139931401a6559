"""A synthetic log with power-law skew, written as RecBole's atomic file: for sizes that no shipped data set has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

USER_SKEW, ITEM_SKEW = 0.6, 0.8  # exponents: the weight of the user or item of rank r is r^-skew


def write_log(path: Path, n_users: int, n_items: int, n_interactions: int, seed: int = 0) -> Path:
    """Write distinct (user, item) pairs, drawn without replacement in proportion to the product of their weights.

    Timestamps are drawn uniformly from ten years, in seconds. Memory grows with users × items.
    """
    generator = np.random.default_rng(seed)
    weights = np.outer(_weights(n_users, USER_SKEW, generator), _weights(n_items, ITEM_SKEW, generator)).ravel()
    # The n smallest of Exponential(weight) are a weighted sample without replacement (Efraimidis and Spirakis, 2006).
    arrivals = generator.standard_exponential(len(weights)) / weights
    pairs = generator.permutation(np.argpartition(arrivals, n_interactions)[:n_interactions])
    log = {
        "user_id:token": pairs // n_items + 1,
        "item_id:token": pairs % n_items + 1,
        "timestamp:float": generator.integers(1_000_000_000, 1_315_360_000, n_interactions),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(log).write_csv(path, separator="\t")
    return path


def _weights(n: int, skew: float, generator: np.random.Generator) -> np.ndarray:
    return generator.permutation(np.arange(1.0, n + 1) ** -skew)
