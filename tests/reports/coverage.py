"""The tables of coverage in docs/comparing.md: `PYTHONPATH=tests python -m reports.coverage` takes some minutes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from reports.simulated_studies import MEAN, one_seed, several_seeds, user_levels

from recsys.reports.bootstrap import bootstrap_interval
from recsys.reports.randomisation import randomisation_p
from recsys.reports.seeds import TWO_LEVEL_BOOTSTRAP
from recsys.reports.statistics import Inference, paired_differences, sample

REPEATS, STUDIES = 10, 2000


def over_users(n_users: int, seed: int) -> list[float]:
    """Coverage of a mean and of two differences, and rates of false positives of both tests."""
    generator = np.random.default_rng(seed)
    levels = user_levels(generator, n_users, STUDIES)
    first, same, worse = (one_seed(generator, share * levels) for share in (1.0, 1.0, 0.8))
    differences = paired_differences(first - same, np.zeros(n_users), seed)
    return [
        covered(*bootstrap_interval(first, seed), MEAN),
        np.mean([own.low <= 0 <= own.high for own in differences]),
        covered(*bootstrap_interval(first - worse, seed), 0.2 * MEAN),
        np.mean([own.p < 0.05 for own in differences]),
        np.mean(randomisation_p(first - same, seed) < 0.05),
    ]


def with_seeds(n_seeds: int, seed_sd: float, seed: int) -> list[float]:
    """Coverage of a difference of two equal cells by the interval over users and by both that contain seeds."""
    generator = np.random.default_rng(seed)
    levels = 0.5 * user_levels(generator, 200, STUDIES // 10)
    first, second = (several_seeds(generator, levels, n_seeds, seed_sd) for _ in range(2))
    weighted = sample(first - second, seed).intervals()
    bootstrap = sample(first - second, seed, Inference(seed_interval=TWO_LEVEL_BOOTSTRAP)).intervals()
    assert weighted.low_with_seeds is not None
    assert weighted.high_with_seeds is not None
    assert bootstrap.low_with_seeds is not None
    assert bootstrap.high_with_seeds is not None
    return [
        covered(weighted.low, weighted.high, 0),
        covered(bootstrap.low_with_seeds, bootstrap.high_with_seeds, 0),
        covered(weighted.low_with_seeds, weighted.high_with_seeds, 0),
    ]


def covered(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(np.mean((low <= truth) & (high >= truth)))


def table(headers: list[str], rows: Iterator[tuple[list[object], list[list[float]]]]) -> None:
    print("|", " | ".join(headers), "|")
    print("|", " | ".join(["---"] + ["---:"] * (len(headers) - 1)), "|")
    for first, repeats in rows:
        means = np.mean(repeats, axis=0)
        print("|", " | ".join([*map(str, first), *(f"{mean:.3f}" for mean in means)]), "|", flush=True)


if __name__ == "__main__":
    table(
        ["users", "mean", "difference of equal cells", "of 5 : 4", "p < 0.05, t", "p < 0.05, randomisation"],
        (([n], [over_users(n, seed) for seed in range(REPEATS)]) for n in (50, 100, 200, 500, 1000)),
    )
    table(
        ["seeds", "seed sd / metric", "over users", "two_level_bootstrap", "weighted_t"],
        (
            ([n, sd], [with_seeds(n, sd, seed) for seed in range(REPEATS)])
            for n in (2, 3, 5, 10)
            for sd in (0.0, 0.05, 0.2, 0.4)
        ),
    )
