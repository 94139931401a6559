from __future__ import annotations

import numpy as np
import pytest
from reports.simulated_studies import MEAN, one_seed, user_levels
from scipy import stats

from recsys.reports import bootstrap
from recsys.reports.bootstrap import (
    bca_interval,
    bootstrap_interval,
    expanded_level,
    quantiles,
    resampled_means,
    t_interval,
)
from recsys.schema import ComparisonError


@pytest.fixture
def values():
    return np.random.default_rng(1).gamma(0.5, size=(40, 3))  # skewed, so that BCa differs from the percentile interval


def scipys(values: np.ndarray, n_resamples: int, level: float) -> list[float]:
    """Ends of scipy's BCa interval with seed 5.

    Its level is that of Hesterberg (2015): normal quantiles that are √(n / (n - 1)) times those of t.
    """
    n = len(values)
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=n_resamples,
        confidence_level=2 * stats.norm.cdf((n / (n - 1)) ** 0.5 * stats.t.ppf((1 + level) / 2, n - 1)) - 1,
        method="BCa",
        rng=np.random.default_rng(5),
    )
    return [found.confidence_interval.low, found.confidence_interval.high]


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_equals_scipy(values, level):
    found = np.array(bootstrap_interval(values, seed=5, n_resamples=500, level=level))
    for column in range(3):
        assert found[:, column] == pytest.approx(scipys(values[:, column], 500, level), abs=1e-9)


def test_interval_with_ties_equals_scipy():
    """Values 0, 1 and 2 of 32 users: means are multiples of 1/32, exact in binary, so that scipy counts ties too."""
    discrete = np.random.default_rng(1).choice(3, p=[0.7, 0.2, 0.1], size=(32, 3))
    scale = 2.0 ** np.array([-40, 0, 40])
    found = np.array(bootstrap_interval(discrete * scale, seed=5, n_resamples=500)) / scale
    for column in range(3):
        assert found[:, column] == pytest.approx(scipys(discrete[:, column], 500, 0.95), abs=1e-9)


@pytest.mark.filterwarnings("error")
def test_constant_columns_have_their_value_as_interval(values):
    """Without the rounding of resampled means: some are below 0.6, and some above 1/3."""
    table = np.column_stack([np.full(40, 0.6), values[:, 0], np.full(40, 1 / 3), values[:, 1]])
    found = np.array(bootstrap_interval(table, seed=5))
    assert found[:, [0, 2]].tolist() == [[0.6, 1 / 3]] * 2
    expected = bootstrap_interval(values[:, :2], seed=5)
    np.testing.assert_allclose(found[:, [1, 3]], expected, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("least", [0.0, 0.9])
@pytest.mark.parametrize("users", [[0, 0, 1], [0, 1, 1], [0, 0.5, 1]])
def test_resampled_means_on_one_side_of_the_mean_give_the_percentile_interval(users, least):
    """They have no finite bias. The quantile q of evenly spaced numbers from a to a + 0.1 is a + q / 10."""
    resampled = np.linspace(least, least + 0.1, 11)[:, None]
    level = expanded_level(0.9, 60)
    found = np.ravel(bca_interval(np.repeat(users, 20)[:, None], resampled, 0.9))
    assert found == pytest.approx([least + (1 - level) / 20, least + (1 + level) / 20], abs=1e-12)


def test_defaults(values):
    assert resampled_means(values, 5).shape == (10_000, 3)
    np.testing.assert_array_equal(bootstrap_interval(values, 5), bootstrap_interval(values, 5, 10_000, 0.95))


def test_values_of_32_bits_are_computed_with_64(values):
    rounded = values.astype(np.float32)
    expected = bootstrap_interval(rounded.astype(np.float64), seed=5)
    np.testing.assert_array_equal(bootstrap_interval(rounded, seed=5), expected)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_students_interval_equals_scipy(values, level):
    expected = stats.t.interval(level, 39, values.mean(axis=0), stats.sem(values))
    np.testing.assert_allclose(t_interval(values, level), expected, rtol=0, atol=1e-12)


def test_quantiles_equal_numpy(values):
    levels = np.array([[0, 0.01, 0.5], [1, 0.99, 0.995]])
    expected = [np.quantile(values[:, column], levels[:, column]) for column in range(3)]
    np.testing.assert_allclose(quantiles(values, levels), np.transpose(expected), rtol=0, atol=1e-12)


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


@pytest.mark.filterwarnings("error")
def test_the_interval_of_two_users_is_their_range():
    """Student's t of 0.95 is 12.7 with one degree of freedom, so that the expanded level is 1 in float64."""
    pairs = np.array([[0.0, 0.1, 1 / 3], [1.0, 0.4, 0.1]])
    low, high = bootstrap_interval(pairs, seed=0)
    assert (low.tolist(), high.tolist()) == ([0, 0.1, 0.1], [1, 0.4, 1 / 3])


def test_one_user_is_refused():
    with pytest.raises(ComparisonError, match="1 user"):
        bootstrap_interval([0.5], seed=0)


def test_intervals_of_means_cover():
    """The Monte Carlo error of a coverage near 0.95 over 2,000 studies is √(0.95 × 0.05 / 2000) = 0.005."""
    generator = np.random.default_rng(0)
    low, high = bootstrap_interval(one_seed(generator, user_levels(generator, 500, 2000)), seed=0)
    assert 0.94 <= np.mean((low <= MEAN) & (high >= MEAN)) <= 0.96
