"""Values of nDCG@10 as leave-one-out tests give them: most are 0, the rest discounts, and users have levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GAINS = 1 / np.log2(np.arange(2, 12))  # of a single positive at rank 1 to 10
MEAN_LEVEL = 0.25  # of Beta(1/2, 3/2), the probability that a user's positive is among the first ten
MEAN = MEAN_LEVEL * GAINS.mean()


def user_levels(generator: np.random.Generator, n_users: int, n_studies: int) -> Floats:
    """(n_users, n_studies) skewed probabilities of a hit, which cells share: an easy user is easy for all."""
    return generator.beta(0.5, 1.5, (n_users, n_studies))


def one_seed(generator: np.random.Generator, levels: Floats) -> Floats:
    """Values of a cell, in the shape of `levels`; three quarters of them are 0."""
    return (generator.random(levels.shape) < levels) * generator.choice(GAINS, levels.shape)


def several_seeds(generator: np.random.Generator, levels: Floats, n_seeds: int, seed_sd: float) -> Floats:
    """Values (n_users, n_seeds, n_studies) of a cell whose seeds have levels of their own.

    Of a user's hits seven in ten do not depend on the seed, as where a model ranks the same film first again.
    """
    n_users, n_studies = levels.shape
    shape = (n_users, n_seeds, n_studies)
    factors = 1 + seed_sd * generator.normal(size=(1, n_seeds, n_studies))
    common, own = generator.random((n_users, 1, n_studies)), generator.random(shape)
    drawn = np.where(generator.random(shape) < 0.7, common, own)
    return (drawn < levels[:, None] * factors) * generator.choice(GAINS, (n_users, 1, n_studies))
