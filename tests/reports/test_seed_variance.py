from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reports.simulated_studies import (
    CASES,
    GAINS,
    MEAN_LEVEL,
    SAME,
    pair_of_cells,
    several_seeds,
    single_positive,
    two_level_p,
    user_levels,
)
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from recsys.reports.inference import Inference
from recsys.reports.seed_variance import TWO_LEVEL_BOOTSTRAP, seed_variances, two_level_error, two_level_interval
from recsys.reports.statistics import paired_difference, sample

FEW = Inference(n_resamples=1000)


def test_the_error_by_an_analysis_of_variance():
    generator = np.random.default_rng(0)
    values = generator.gamma(1.0, size=(12, 1)) + generator.normal(size=(1, 3)) + generator.normal(0, 0.3, (12, 3))
    table = pd.DataFrame(
        {"value": values.ravel(), "user": np.repeat(np.arange(12), 3), "seed": np.tile(np.arange(3), 12)}
    )
    squares = anova_lm(ols("value ~ C(user) + C(seed)", table).fit())["mean_sq"]
    of_users, of_seeds, of_both = (squares[name] / 36 for name in ("C(user)", "C(seed)", "Residual"))
    found = seed_variances(values[:, :, None])
    assert (found.seeds[0], found.both[0]) == (pytest.approx(of_seeds, abs=1e-12), pytest.approx(of_both, abs=1e-12))
    variance = of_users - of_both + of_seeds
    error = two_level_error(np.array([of_users]), found.seeds[None], found.both[None], 12, 3)
    assert error.variance[0] == pytest.approx(variance, abs=1e-12)
    assert error.df[0] == pytest.approx(2 * variance / of_seeds)  # one cell: 2 degrees of freedom, exponent 1
    p = 2 * stats.t.sf(abs(values.mean()) / variance**0.5, 2 * variance / of_seeds)
    assert error.p(np.array([values.mean()]))[0] == pytest.approx(p, abs=1e-12)
    below, above = 0.7, 1.1
    ends = np.array([values.mean() - below]), np.array([values.mean() + above])
    low, high = error.interval(np.array([values.mean()]), ends, np.array([of_users**0.5]), 12, 0.95)
    half, symmetric = stats.t.ppf(0.975, error.df[0]) * variance**0.5, stats.t.ppf(0.975, 11) * of_users**0.5
    share = (of_users - of_both) / variance
    assert values.mean() - low[0] == pytest.approx(half * (1 - share + share * below / symmetric))
    assert high[0] - values.mean() == pytest.approx(half * (1 - share + share * above / symmetric))


def test_two_cells_whose_seeds_alone_vary_have_the_error_of_two_samples():
    """Without users it is the test of two samples of seeds; equal variances have all 4 degrees of freedom."""
    first, second = np.array([0.2, 0.25, 0.3]), np.array([0.5, 0.55, 0.6])
    values = np.stack([np.tile(first, (50, 1)), np.tile(second, (50, 1))], axis=2)
    difference = paired_difference(values[:, :, 0], values[:, :, 1], 0)
    assert difference.p == difference.p_with_seeds == pytest.approx(stats.ttest_ind(first, second).pvalue)
    mean, half = -0.3, stats.t.ppf(0.975, 4) * (2 * 0.05**2 / 3) ** 0.5
    assert [difference.low_with_seeds, difference.high_with_seeds] == pytest.approx([mean - half, mean + half])
    # a cell that seeds do not change: h = 1, 2 degrees of freedom
    fixed = paired_difference(values[:, :, 0], np.zeros((50, 3)), 0)
    assert fixed.p == pytest.approx(stats.ttest_1samp(first, 0).pvalue)
    # variances 4 : 1: h = 0.8² + 0.2² = 0.68, so 4 / 0.68 - 2 = 3.88 degrees of freedom
    wide = np.array([0.1, 0.2, 0.3])
    both = paired_difference(np.tile(wide, (50, 1)), values[:, :, 1], 0)
    error = (0.1**2 / 3 + 0.05**2 / 3) ** 0.5
    assert both.p == pytest.approx(2 * stats.t.sf(0.35 / error, 4 / 0.68 - 2))


@pytest.mark.filterwarnings("error")
def test_degrees_of_freedom_by_hand():
    """Users 1, seeds 1/2 + 1/2 of two cells: V / S = 2, f = 4, h = 1/2, so 4 × 2^1.5; at most n - 1."""
    half = np.array([[0.5], [0.5]])
    assert two_level_error(np.ones(1), half, 0 * half, 1000, 3).df[0] == pytest.approx(4 * 2**1.5)
    assert two_level_error(np.ones(1), half, 0 * half, 8, 3).df[0] == 7
    # where seeds contribute nothing or almost nothing, the test is the one over users
    seeds = np.tile([0, 1e-250], (2, 1))
    error = two_level_error(np.ones(2), seeds, 0 * seeds, 8, 3)
    assert (error.df.tolist(), error.varies.tolist()) == ([7, 7], [False, True])


@pytest.mark.filterwarnings("error")
def test_without_any_variance_only_a_mean_of_zero_has_a_p_above_zero():
    nothing = np.zeros((2, 2))
    error = two_level_error(nothing[0], nothing, nothing, 8, 3)
    assert error.p(np.array([0.0, 0.1])).tolist() == [1, 0]


def test_where_seeds_change_nothing_the_test_over_users_decides():
    users = np.random.default_rng(0).gamma(1.0, size=(40, 2))
    values = np.repeat(users[:, None], 3, axis=1)
    for inference in (Inference(), Inference(test="randomisation")):
        found = paired_difference(values[:, :, 0], values[:, :, 1], 0, inference)
        alone = paired_difference(users[:, 0], users[:, 1], 0, inference)
        assert found.p == found.p_users == found.p_with_seeds == pytest.approx(alone.p)
        assert (found.low_with_seeds, found.high_with_seeds) == (found.low, found.high)
    assert paired_difference(users[:, 0], users[:, 1], 0).p_with_seeds is None


def test_a_cell_whose_seeds_agree_has_no_variance_beside_one_whose_seeds_do_not():
    """The second cell: means of users and of seeds are 1 and 5, so S = 2 × 2² / 2 = 4; residuals are ±1, so B = 1."""
    agree, differ = np.array([[0.1, 0.1], [0.7, 0.7]]), np.array([[0.0, 2.0], [2.0, 8.0]])
    found = seed_variances(np.stack([agree, differ], axis=2))
    assert (found.seeds.tolist(), found.both.tolist(), found.n_seeds) == ([0, 4], [0, 1], 2)


def test_seeds_whose_means_agree_by_chance_do_not_make_a_difference_certain():
    """Two cells whose seeds swap values between users: means of seeds are equal, and so is each user's over seeds."""
    first = np.array([[0.4, 0.6], [0.6, 0.4]] * 5)
    second = np.array([[0.3, 0.5], [0.5, 0.3]] * 5)
    found = paired_difference(first, second, 0)
    both = 0.01 * 20 / 9 / 20  # of each cell: squares of 0.1, 9 degrees of freedom
    assert found.p_users < 1e-6  # each user differs by 0.1
    assert found.p_with_seeds == pytest.approx(2 * stats.t.sf(0.1 / (2 * 0.05 * both) ** 0.5, 2))


def test_where_seeds_alone_vary_the_interval_is_students():
    by_seed = np.array([0.2, 0.25, 0.33, 0.3])
    values = np.tile(by_seed, (50, 1))
    found = sample(values[:, :, None], 0, Inference(level=0.9)).intervals()
    expected = stats.t.interval(0.9, 3, by_seed.mean(), stats.sem(by_seed))
    assert (found.low, found.high) == (pytest.approx(by_seed.mean()), pytest.approx(by_seed.mean()))
    np.testing.assert_allclose([found.low_with_seeds[0], found.high_with_seeds[0]], expected, rtol=0, atol=1e-9)


def test_where_seeds_are_equal_the_interval_is_that_over_users():
    values = np.tile(np.random.default_rng(0).gamma(1.0, size=(50, 1)), (1, 3))[:, :, None]
    found = sample(values, 0).intervals()
    np.testing.assert_allclose(found.low_with_seeds, found.low, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.high_with_seeds, found.high, rtol=0, atol=1e-12)
    constant = sample(np.full((50, 3, 1), 0.5), 0).intervals()
    assert (constant.low_with_seeds, constant.high_with_seeds) == (0.5, 0.5)


def test_one_seed_has_no_such_interval():
    found = sample(np.random.default_rng(0).uniform(size=(20, 1, 2)), 0).intervals()
    assert found.low_with_seeds is None
    assert found.high_with_seeds is None


def test_the_two_level_bootstrap_has_the_variance_of_resampled_seeds_and_users():
    """With users all alike, resampled means of 3 seeds have 2/3 of the variance that their mean has: σ²/3 × 2/3."""
    by_seed = np.array([0.0, 0.3, 0.6])
    resampled = np.tile(by_seed, (200_000, 1))[:, :, None]
    low, high = two_level_interval(resampled, 0, 0.95)
    # the sum of 3 draws: all low, or all high, once in 27 each; so both ends are the outermost seeds
    assert (low[0], high[0]) == (0.0, 0.6)
    low, high = two_level_interval(resampled, 0, 0.9)
    # once in 27 a sum of 0, in 3 of 27 one of 0.3: 0.05 is between 1/27 = 0.037 and 4/27 = 0.148, so it falls on 0.3
    assert (low[0], high[0]) == (pytest.approx(0.1), pytest.approx(0.5))


# Each rate is of 1,000 studies: the Monte Carlo error of a rate near 0.05 is 0.007.


@pytest.mark.parametrize("n_seeds", [3, 5])
@pytest.mark.parametrize("seed_sd", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("case", CASES)
def test_equal_cells_differ_significantly_in_one_study_of_twenty(n_seeds, seed_sd, case):
    """For new users and new seeds; 0.06 and two Monte Carlo errors are allowed above, and conservative tests below."""
    shape = (200, n_seeds, 1000)
    first, second = pair_of_cells(np.random.default_rng(n_seeds), single_positive(0.3), case, shape, seed_sd)
    assert 0.025 <= np.mean(two_level_p(first, second) < 0.05) <= 0.065


def test_over_users_alone_other_seeds_of_the_same_cell_differ():
    """With a seed deviation of a fifth; what was reported as significant before seeds were a sample."""
    first, second = pair_of_cells(np.random.default_rng(0), single_positive(0.3), SAME, (671, 3, 200), 0.2)
    table = (first - second).mean(axis=1)
    assert np.mean(stats.ttest_1samp(table, 0).pvalue < 0.05) > 0.6
    found = [
        paired_difference(first[:, :, study], second[:, :, study], 0, Inference(n_resamples=100))
        for study in range(200)
    ]
    assert np.mean([own.p_users < 0.05 for own in found]) > 0.6
    assert np.mean([own.p < 0.05 for own in found]) <= 0.08
    covered = [own.low_with_seeds <= 0 <= own.high_with_seeds for own in found]
    assert np.mean(covered) >= 0.92
    assert [own.p for own in found[:3]] == pytest.approx(two_level_p(first, second)[:3].tolist())


@pytest.mark.parametrize("n_seeds", [3, 5])
@pytest.mark.parametrize("seed_sd", [0.0, 0.1, 0.2])
def test_intervals_with_seeds_cover_means(n_seeds, seed_sd):
    generator = np.random.default_rng(n_seeds)
    levels = 0.8 * user_levels(generator, 200, 2000)  # so that no seed lifts a probability above 1
    found = sample(several_seeds(generator, levels, n_seeds, seed_sd), 0, FEW).intervals()
    truth = 0.8 * MEAN_LEVEL * GAINS.mean()
    assert 0.935 <= np.mean((found.low_with_seeds <= truth) & (found.high_with_seeds >= truth)) <= 0.97


def test_why_neither_users_alone_nor_the_bootstrap_do():
    """Three seeds that differ more than users do: 2,000 studies."""
    generator = np.random.default_rng(0)
    users, seeds = generator.normal(0, 1, (200, 1, 2000)), generator.normal(0, 0.3, (1, 3, 2000))
    values = users + seeds + generator.normal(0, 0.5, (200, 3, 2000))
    both = sample(values, 0, FEW).intervals()
    bootstrap = sample(values, 0, Inference(n_resamples=1000, seed_interval=TWO_LEVEL_BOOTSTRAP)).intervals()
    assert np.mean((both.low <= 0) & (both.high >= 0)) < 0.6
    assert np.mean((bootstrap.low_with_seeds <= 0) & (bootstrap.high_with_seeds >= 0)) < 0.88
    assert 0.93 <= np.mean((both.low_with_seeds <= 0) & (both.high_with_seeds >= 0)) <= 0.97
