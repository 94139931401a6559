from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsys.reports.critical_difference import critical_difference
from recsys.schema import ComparisonError


def means(table: np.ndarray) -> dict[str, dict[str, float]]:
    return {f"data{row}": {f"cell{place}": value for place, value in enumerate(own)} for row, own in enumerate(table)}


@pytest.mark.parametrize("ties", [False, True])
def test_friedman_equals_scipy(ties):
    table = np.random.default_rng(0).uniform(size=(9, 5))
    table = np.round(table, 1) if ties else table
    found = critical_difference(means(table))
    expected = stats.friedmanchisquare(*table.T)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
    ranks = stats.rankdata(-table, axis=1).mean(axis=0)
    assert found.average_ranks == pytest.approx(sorted(ranks), abs=1e-9)
    assert found.labels[0] == f"cell{ranks.argmin()}"


def test_as_demsar_has_it():
    """Demšar (2006), table 6 and section 3.2.2: four classifiers on 14 data sets, average ranks 3.143, 2.000, 2.893,
    1.964, χ² = 9.28, F = 3.69, critical difference 1.25 (with q = 2.569).

    The paper prints 0.975 twice for the data set "voting", with the ranks 2 and 3: here the second is 0.9749.
    """
    c45 = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957]
    c45_m = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978]
    c45_cf = [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.975, 0.946]
    c45_both = [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.9749, 0.970]
    found = critical_difference(means(np.array([c45, c45_m, c45_cf, c45_both]).T))
    assert dict(zip(found.labels, np.round(found.average_ranks, 3), strict=True)) == {
        "cell3": 1.964,
        "cell1": 2.0,
        "cell2": 2.893,
        "cell0": 3.143,
    }
    assert found.critical_difference == pytest.approx(2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=1e-3)
    # the paper's 9.28 has no correction for ties: Σ (ranks² - …) × 12 N / (k (k + 1)); with it χ² is larger
    raw = 12 * 14 / 20 * (sum(rank**2 for rank in found.average_ranks) - 4 * 25 / 4)
    assert raw == pytest.approx(9.28, abs=0.01)
    assert found.statistic > raw
    assert found.groups == [("cell3", "cell1", "cell2", "cell0")]  # 3.143 - 1.964 < 1.25


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("k", [2, 5, 10])
def test_the_critical_difference_by_the_studentized_range(k, level):
    found = critical_difference(means(np.random.default_rng(0).uniform(size=(6, k))), level=level)
    quantile = stats.studentized_range.ppf(level, k, np.inf)
    assert found.critical_difference == pytest.approx(quantile * (k * (k + 1) / (12 * 6)) ** 0.5, abs=1e-9)
    # Demšar's table 5 (a): q of α = 0.05 and 0.10
    q = {(2, 0.95): 1.960, (5, 0.95): 2.728, (10, 0.95): 3.164, (2, 0.9): 1.645, (5, 0.9): 2.459, (10, 0.9): 2.920}
    assert found.critical_difference == pytest.approx(q[k, level] * (k * (k + 1) / 36) ** 0.5, abs=2e-3)


def test_groups_by_hand():
    """Twelve data sets, always in the same order: ranks 1 to 5, and a critical difference of 1.76."""
    found = critical_difference(means(np.tile([0.5, 0.4, 0.3, 0.2, 0.1], (12, 1))))
    assert found.average_ranks == [1, 2, 3, 4, 5]
    assert found.critical_difference == pytest.approx(2.728 * (5 * 6 / (6 * 12)) ** 0.5, abs=1e-3)
    assert found.groups == [("cell0", "cell1"), ("cell1", "cell2"), ("cell2", "cell3"), ("cell3", "cell4")]
    assert found.statistic == pytest.approx(12 * 4)  # all of N (k - 1)
    assert found.p_permutation < 0.0001
    apart = critical_difference(means(np.tile([0.5, 0.4, 0.3, 0.2, 0.1], (50, 1))))
    assert apart.critical_difference < 1
    assert apart.groups == []


@pytest.mark.parametrize("ties", [False, True])
def test_permuted_ranks_equal_scipy(ties):
    table = np.random.default_rng(4).uniform(size=(3, 3)) + np.array([0, 0.4, 0.2])
    table = np.round(table * 3) if ties else table

    def statistic(*columns):
        return stats.friedmanchisquare(*columns).statistic

    # scipy permutes the first data set too: 6^3 permutations
    expected = stats.permutation_test(
        tuple(table.T), statistic, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    ).pvalue
    assert critical_difference(means(table)).p_permutation == pytest.approx(expected, abs=1e-9)


def test_permuted_ranks_by_hand():
    same = {"a": {"x": 2.0, "y": 1.0}, "b": {"x": 2.0, "y": 1.0}}
    assert critical_difference(same).p_permutation == 1 / 2  # the second agrees with the first in one of two cases


@pytest.mark.parametrize(("n_datasets", "p"), [(3, 1 / 36), (5, 1 / 1296), (7, 1 / 20_001)])
def test_three_cells_in_the_same_order_on_all_data_sets(n_datasets, p):
    """All others agree with the first once in 6^(n - 1). 6^6 is above 20,000: as many are drawn, and none agrees."""
    found = critical_difference(means(np.tile([3.0, 2.0, 1.0], (n_datasets, 1))))
    assert found.p_permutation == p


def test_drawn_permutations_are_close_to_the_approximation_where_that_holds():
    """p near 0.2 of 20,000 draws: a standard error of 0.003."""
    table = np.random.default_rng(7).uniform(size=(40, 5)) + np.array([0, 0.1, 0.1, 0.05, 0])
    found = critical_difference(means(table))
    assert 0.02 < found.p < 0.9
    assert found.p_permutation == pytest.approx(found.p, abs=0.015)


def test_less_may_be_better():
    found = critical_difference({"a": {"x": 1.0, "y": 2.0}, "b": {"x": 1.0, "y": 1.0}}, lower_is_better=True)
    assert (found.labels, found.average_ranks) == (["x", "y"], [1.25, 1.75])
    assert found.ranks == [[1.0, 2.0], [1.5, 1.5]]
    assert (found.datasets, found.n_datasets) == (["a", "b"], 2)


def test_cells_that_tie_everywhere_are_equal():
    found = critical_difference(means(np.ones((3, 3))))
    assert (found.statistic, found.p, found.p_permutation) == (0, 1, 1)
    assert found.groups == [("cell0", "cell1", "cell2")]


def test_cells_with_equal_ranks_keep_their_order():
    found = critical_difference(means(np.tile([1.0, 2.0], (2, 10))))
    assert found.labels == [f"cell{place}" for place in [*range(1, 20, 2), *range(0, 20, 2)]]
    assert found.average_ranks == [5.5] * 10 + [15.5] * 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"a": {"x": 1.0, "y": 2.0}}, "at least two data sets and two cells; found 1 and 2"),
        ({"a": {"x": 1.0}, "b": {"x": 1.0}}, "found 2 and 1"),
        ({"a": {"x": 1.0, "y": 2.0}, "b": {"x": 1.0}}, "b has no mean of y"),
        ({"a": {"x": 1.0, "y": float("nan")}, "b": {"x": 1.0, "y": 2.0}}, "a has no mean of y"),
    ],
)
def test_ranks_need_all_means(wrong, message):
    with pytest.raises(ComparisonError, match=message):
        critical_difference(wrong)


def test_equal_cells_rarely_differ():
    """2,000 studies of 10 data sets and 4 equal cells: Nemenyi's test finds a difference in about one in twenty.

    The Monte Carlo error is 0.005; the normal approximation of ranks makes the test a little conservative.
    """
    ranks = stats.rankdata(np.random.default_rng(0).uniform(size=(2000, 10, 4)), axis=2).mean(axis=1)
    critical = critical_difference(means(np.random.default_rng(0).uniform(size=(10, 4)))).critical_difference
    assert 0.03 <= np.mean(ranks.max(axis=1) - ranks.min(axis=1) >= critical) <= 0.06
