from __future__ import annotations

import numpy as np
import pytest
from reports.simulated_studies import MEAN, one_seed, user_levels
from scipy import stats

from recsys.reports import bootstrap
from recsys.reports.bootstrap import bootstrap_interval, expanded_level
from recsys.schema import ComparisonError


@pytest.fixture
def values():
    return np.random.default_rng(1).gamma(0.5, size=(40, 3))  # skewed, so that BCa differs from the percentile interval


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_equals_scipy(values, level):
    low, high = bootstrap_interval(values, seed=5, n_resamples=500, level=level)
    # Hesterberg (2015): the quantiles of a normal distribution that are √(n / (n - 1)) times those of t
    expanded = 2 * stats.norm.cdf((40 / 39) ** 0.5 * stats.t.ppf((1 + level) / 2, 39)) - 1
    for column in range(values.shape[1]):
        expected = stats.bootstrap(
            (values[:, column],),
            np.mean,
            n_resamples=500,
            confidence_level=expanded,
            method="BCa",
            rng=np.random.default_rng(5),
        ).confidence_interval
        assert low[column] == pytest.approx(expected.low, abs=1e-9)
        assert high[column] == pytest.approx(expected.high, abs=1e-9)


def test_the_level_is_expanded_less_with_more_users():
    assert expanded_level(0.95, 200) == pytest.approx(0.952, abs=5e-4)
    assert expanded_level(0.95, 100_000) == pytest.approx(0.95, abs=1e-5)


def test_interval_does_not_depend_on_chunks_or_on_other_columns(values, monkeypatch):
    whole = bootstrap_interval(values, seed=0, n_resamples=101)
    monkeypatch.setattr(bootstrap, "_DRAWS", 7 * len(values))
    chunked = bootstrap_interval(values, seed=0, n_resamples=101)
    alone = bootstrap_interval(values[:, 1], seed=0, n_resamples=101)
    np.testing.assert_allclose(whole, chunked, rtol=0, atol=1e-12)
    np.testing.assert_allclose([whole[0][1], whole[1][1]], alone, rtol=0, atol=1e-12)


def test_ties_do_not_depend_on_rounding():
    """Tenths have no exact binary form, tens have."""
    tens = np.array([200.0, 200, 200, 210, 190, 210, 220, 200, 190, 210])
    exact, rounded = bootstrap_interval(tens, seed=0), bootstrap_interval(tens / 1000, seed=0)
    np.testing.assert_allclose(np.array(exact) / 1000, rounded, rtol=1e-12)


def test_few_skewed_users_and_a_high_level_take_all_there_is():
    """One user in nine is 1: the most that 2,000 resamples have, which is at least three in nine and not nine."""
    low, high = bootstrap_interval([0.0] * 8 + [1.0], seed=0, level=0.9999)
    assert low == 0
    assert 3 / 9 <= high < 1
    assert bootstrap_interval([0.0, 1.0], seed=0) == (0, 1)


def test_one_user_is_refused():
    with pytest.raises(ComparisonError, match="1 user"):
        bootstrap_interval([0.5], seed=0)


def test_intervals_of_means_cover():
    """The Monte Carlo error of a coverage near 0.95 over 2,000 studies is √(0.95 × 0.05 / 2000) = 0.005."""
    generator = np.random.default_rng(0)
    low, high = bootstrap_interval(one_seed(generator, user_levels(generator, 500, 2000)), seed=0)
    assert 0.94 <= np.mean((low <= MEAN) & (high >= MEAN)) <= 0.96
