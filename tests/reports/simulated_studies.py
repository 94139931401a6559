"""Values of nDCG@10 as tests of recommenders give them: most are 0, the rest discounts, and users have levels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsys.reports.seed_variance import seed_variances, two_level_error

Floats = NDArray[np.float64]
Users = Callable[[np.random.Generator, tuple[int, int], int], list[Floats]]

GAINS = 1 / np.log2(np.arange(2, 12))  # of a single positive at rank 1 to 10
MEAN_LEVEL = 0.25  # of Beta(1/2, 3/2), the probability that a user's positive is among the first ten
MEAN = MEAN_LEVEL * GAINS.mean()
SAME, LIKE, FIXED = "same cell, other seeds", "equal cells", "one cell without seeds"
CASES = (SAME, LIKE, FIXED)


def user_levels(generator: np.random.Generator, n_users: int, n_studies: int, mean: float = MEAN_LEVEL) -> Floats:
    """(n_users, n_studies) skewed probabilities of a hit, which cells share: an easy user is easy for all."""
    return generator.beta(0.5, 0.5 / mean - 0.5, (n_users, n_studies))


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


def single_positive(mean: float) -> Users:
    """Users with one positive each: draws (n_users, n_studies) at the user's level; `mean` of them are hits."""

    def draw(generator: np.random.Generator, shape: tuple[int, int], n_draws: int) -> list[Floats]:
        levels = user_levels(generator, *shape, mean)
        return [one_seed(generator, levels) for _ in range(n_draws)]

    return draw


def of_run(values: Floats) -> Users:
    """Users drawn from the values per user of a run, (n,): half of a user's draws are its own value, half another's."""

    def draw(generator: np.random.Generator, shape: tuple[int, int], n_draws: int) -> list[Floats]:
        own = generator.choice(values, shape)
        others = (generator.choice(values, shape) for _ in range(n_draws))
        return [np.where(generator.random(shape) < 0.5, own, other) for other in others]

    return draw


def pair_of_cells(
    generator: np.random.Generator, users: Users, case: str, shape: tuple[int, int, int], seed_sd: float
) -> tuple[Floats, Floats]:
    """Values (n_users, n_seeds, n_studies) of two cells with the same mean for all users and seeds.

    A seed multiplies all values by 1 + seed_sd × a standard normal number, and draws the values of three users in ten
    anew (the interaction of users and seeds).

    Args:
        generator: Of everything.
        users: Draws values of users.
        case: `SAME`: one cell with two sets of seeds; `LIKE`: two cells that suit different users; `FIXED`: two such
            cells, of which the second gives the same values for every seed.
        shape: Of the values.
        seed_sd: Standard deviation of a cell's mean over seeds, relative to the mean.
    """
    n_users, n_seeds, n_studies = shape
    first, second, *others = users(generator, (n_users, n_studies), 2 + 2 * n_seeds)
    second = first if case == SAME else second
    made = _with_seeds(generator, first, others[:n_seeds], seed_sd)
    if case == FIXED:
        return made, np.repeat(second[:, None], n_seeds, axis=1)
    return made, _with_seeds(generator, second, others[n_seeds:], seed_sd)


def two_level_p(first: Floats, second: Floats) -> Floats:
    """p (n_studies,) of the two-level test of each study's two cells, as reports compute it."""
    n_users, n_seeds, _ = first.shape
    table = first.mean(axis=1) - second.mean(axis=1)
    cells = [seed_variances(own) for own in (first, second)]
    seeds, both = np.stack([own.seeds for own in cells]), np.stack([own.both for own in cells])
    error = two_level_error(table.var(axis=0, ddof=1) / n_users, seeds, both, n_users, n_seeds)
    return error.p(table.mean(axis=0))


def _with_seeds(generator: np.random.Generator, values: Floats, others: list[Floats], seed_sd: float) -> Floats:
    anew = np.stack(others, axis=1)
    kept = np.where(generator.random(anew.shape) < 0.7, values[:, None], anew)
    return kept * (1 + seed_sd * generator.normal(size=(1, *anew.shape[1:])))
