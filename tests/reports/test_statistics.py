from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from recsys.reports import bootstrap
from recsys.reports.bootstrap import bootstrap_interval
from recsys.reports.corrections import holm
from recsys.reports.statistics import Inference, paired_difference, paired_differences
from recsys.schema import ComparisonError


@pytest.fixture
def values():
    return np.random.default_rng(1).gamma(0.5, size=(40, 3))  # skewed, so that BCa differs from the percentile interval


def test_interval_equals_scipy(values):
    low, high = bootstrap_interval(values, seed=5, n_resamples=500)
    for column in range(values.shape[1]):
        expected = stats.bootstrap(
            (values[:, column],), np.mean, n_resamples=500, method="BCa", rng=np.random.default_rng(5)
        ).confidence_interval
        assert low[column] == pytest.approx(expected.low, abs=1e-9)
        assert high[column] == pytest.approx(expected.high, abs=1e-9)


def test_interval_of_another_level_equals_scipy(values):
    low, high = bootstrap_interval(values[:, 0], seed=2, n_resamples=300, level=0.9)
    expected = stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=300, confidence_level=0.9, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (low, high) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))


def test_interval_does_not_depend_on_chunks_or_on_other_columns(values, monkeypatch):
    whole = bootstrap_interval(values, seed=0, n_resamples=101)
    monkeypatch.setattr(bootstrap, "_DRAWS", 7 * len(values))
    chunked = bootstrap_interval(values, seed=0, n_resamples=101)
    alone = bootstrap_interval(values[:, 1], seed=0, n_resamples=101)
    np.testing.assert_allclose(whole, chunked, rtol=0, atol=1e-12)
    np.testing.assert_allclose([whole[0][1], whole[1][1]], alone, rtol=0, atol=1e-12)


def test_paired_difference_equals_scipy(values):
    first, second = values[:, 0], values[:, 1]
    found = paired_difference(first, second, seed=3, inference=Inference(n_resamples=400))
    expected = stats.bootstrap(
        (first - second,), np.mean, n_resamples=400, rng=np.random.default_rng(3)
    ).confidence_interval
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=1e-9)
    assert found.mean == pytest.approx(np.mean(first - second), abs=1e-12)
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))
    # Cohen's d of paired values is the t-statistic over √n
    assert found.effect_size == pytest.approx(stats.ttest_rel(first, second).statistic / np.sqrt(40), abs=1e-9)


def test_differences_by_hand():
    found = paired_difference([0.5, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0], seed=0)
    # differences 1/2, 0, 1/2, 0: mean 1/4, variance (4 × 1/16) / 3 = 1/12
    assert found.mean == 1 / 4
    assert found.effect_size == pytest.approx((1 / 4) / (1 / 12) ** 0.5)
    assert found.p_corrected is None


def test_equal_cells_do_not_differ_and_a_constant_difference_is_certain():
    ones = np.ones(5)
    same, constant = paired_differences(np.stack([ones, ones * 2], axis=1), ones, seed=0)
    assert (same.mean, same.low, same.high, same.p, same.effect_size) == (0, 0, 0, 1, 0)
    assert (constant.mean, constant.low, constant.high, constant.p) == (1, 1, 1, 0)
    assert constant.effect_size == np.inf


def test_one_user_is_refused():
    with pytest.raises(ComparisonError, match="1 user"):
        bootstrap_interval([0.5], seed=0)


@pytest.mark.parametrize("n", [1, 2, 13, 200])
def test_holm_equals_statsmodels(n):
    p = np.random.default_rng(n).uniform(size=n) ** 3
    p[: n // 3] = p[0]  # ties
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=0, atol=1e-9)


def test_holm_by_hand():
    assert holm([0.02, 0.01, 0.5]) == pytest.approx([0.02 * 2, 0.01 * 3, 0.5])
    assert holm([0.01, 0.011]) == pytest.approx([0.02, 0.02])  # never below a smaller one's
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_without_a_difference_one_study_in_twenty_is_significant_and_intervals_cover():
    generator = np.random.default_rng(0)
    users = generator.beta(0.4, 1.2, size=(50, 1))  # a user's level is shared by both cells, as with real users
    baseline = np.clip(users + 0.1 * generator.normal(size=(50, 1000)), 0, 1)
    other = np.clip(users + 0.1 * generator.normal(size=(50, 1000)), 0, 1)
    found = paired_differences(other - baseline, np.zeros(50), seed=0, inference=Inference(n_resamples=1000))
    rejected = np.mean([difference.p < 0.05 for difference in found])
    covered = np.mean([difference.low <= 0 <= difference.high for difference in found])
    assert 0.03 <= rejected <= 0.07
    assert 0.92 <= covered <= 0.97
