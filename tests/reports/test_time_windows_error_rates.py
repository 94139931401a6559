"""False positives of a test over the users of several windows of time, where users come back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from full import only_full
from numpy.typing import NDArray
from scipy import stats

from recsys.reports.inference import Inference
from recsys.reports.statistics import paired_differences
from recsys.reports.values import Values

N_WINDOWS, PRESENT, OF_USER = 4, 0.6, 0.5  # probability that a user is tested in a window; share of a user's variance


def simulated(n_users: int, n_studies: int, seed: int) -> tuple[list[str], NDArray[np.float64]]:
    """Users of the queries, and differences (n_queries, n_studies) of two cells that are equal on average.

    A part of a user's difference is the same in all windows: users have tastes that suit one cell.
    """
    generator = np.random.default_rng(seed)
    present = generator.random((n_users, N_WINDOWS)) < PRESENT
    users = np.repeat(np.arange(n_users), present.sum(axis=1))
    common = generator.normal(0, OF_USER**0.5, (n_users, n_studies))[users]
    return [f"u{user}" for user in users], common + generator.normal(0, (1 - OF_USER) ** 0.5, common.shape)


@pytest.mark.parametrize(
    ("n_users", "n_studies"), [(60, 1500), pytest.param(300, 10_000, marks=only_full, id="300-10000")]
)
def test_users_who_come_back_are_no_new_evidence(n_users, n_studies):
    users, differences = simulated(n_users, n_studies, seed=n_users)
    values = Values(pl.DataFrame({"user": users}), {}, {}).of_users(differences[:, None, :]).values[:, 0]
    found = paired_differences(values, np.zeros(len(values)), 0, Inference(n_resamples=100))
    clustered = np.mean([own.p < 0.05 for own in found])
    naive = np.mean(stats.ttest_1samp(differences, 0).pvalue < 0.05)
    error = (0.05 * 0.95 / n_studies) ** 0.5
    assert abs(clustered - 0.05) < 4 * error
    assert naive > 0.1  # users are in 2.5 windows on average: variances are too small
