"""The tables of docs/explanation/comparing.md.

`PYTHONPATH=tests python -m reports.interval_coverage [PER_USER.parquet]` takes ten minutes.

With the values per user of a run, false positives are simulated with these too, for example with
`runs/<id>/per_user.parquet` of `recsys train ranker=itemknn`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
from reports.simulated_studies import (
    CASES,
    GAINS,
    Users,
    of_run,
    one_seed,
    pair_of_cells,
    single_positive,
    two_level_p,
    user_levels,
)
from scipy import stats

from recsys.reports.bootstrap import bootstrap_interval
from recsys.reports.randomisation import randomisation_p
from recsys.reports.statistics import paired_differences

REPEATS, STUDIES = 2, 2000
PER_USER = "ndcg@10"


def over_users(n_users: int, hits: float, seed: int) -> list[float]:
    """Users with hits, coverage of a mean and of two differences, and rates of false positives of both tests."""
    generator = np.random.default_rng(seed)
    levels = user_levels(generator, n_users, STUDIES, hits)
    first, same, worse = (one_seed(generator, share * levels) for share in (1.0, 1.0, 0.8))
    mean = hits * GAINS.mean()
    equal, less = (paired_differences(first - other, np.zeros(n_users), seed) for other in (same, worse))
    return [
        np.mean((first != 0).sum(axis=0)),
        covered(*bootstrap_interval(first, seed), mean),
        np.mean([own.low <= 0 <= own.high for own in equal]),
        np.mean([own.low <= 0.2 * mean <= own.high for own in less]),
        np.mean([own.p < 0.05 for own in equal]),
        np.mean(randomisation_p(first - same, seed) < 0.05),
    ]


def false_positives(users: Users, n_users: int, n_seeds: int, seed_sd: float, seed: int) -> list[float]:
    """For each case the share of studies of equal cells with p < 0.05: over users alone, and with seeds."""
    generator = np.random.default_rng(seed)
    rates = []
    for case in CASES:
        alone, both = [], []
        for _ in range(STUDIES // 250):
            first, second = pair_of_cells(generator, users, case, (n_users, n_seeds, 250), seed_sd)
            alone.append(np.mean(stats.ttest_1samp((first - second).mean(axis=1), 0).pvalue < 0.05))
            both.append(np.mean(two_level_p(first, second) < 0.05))
        rates += [float(np.mean(alone)), float(np.mean(both))]
    return rates


def covered(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    return float(np.mean((low <= truth) & (high >= truth)))


def table(headers: list[str], rows: Iterable[tuple[list[object], Iterator[list[float]]]]) -> None:
    print("|", " | ".join(headers), "|")
    print("|", " | ".join(["---"] + ["---:"] * (len(headers) - 1)), "|")
    for first, repeats in rows:
        means = np.mean(list(repeats), axis=0)
        print("|", " | ".join([*map(str, first), *(f"{mean:.3f}" for mean in means)]), "|", flush=True)


def main(path: str | None = None) -> None:
    headers = ["hit level", "users", "users with hits", "mean", "difference of equal cells", "of 5 : 4"]
    table(
        [*headers, "p < 0.05, t", "p < 0.05, randomisation"],
        (
            ([hits, n], (over_users(n, hits, seed) for seed in range(REPEATS)))
            for hits in (0.05, 0.11, 0.25)
            for n in (20, 30, 50, 100, 200, 500)
        ),
    )
    samples = {"hit level 0.05": single_positive(0.05), "hit level 0.3": single_positive(0.3)}
    if path is not None:
        samples["of a run"] = of_run(pl.read_parquet(path)[PER_USER].cast(pl.Float64).to_numpy())
    table(
        ["values", "users", "seeds", "seed sd", *(f"{case}, {test}" for case in CASES for test in ("users", "both"))],
        (
            ([name, n, n_seeds, sd], (false_positives(users, n, n_seeds, sd, seed) for seed in range(REPEATS)))
            for name, users in samples.items()
            for n in (100, 671)
            for n_seeds in (3, 5)
            for sd in (0.0, 0.05, 0.2)
        ),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
