from __future__ import annotations

import numpy as np
import pytest
from reports.simulated_studies import GAINS, MEAN, one_seed, several_seeds, user_levels
from scipy import stats

from recsys.reports.bootstrap import bootstrap_interval, expanded_level
from recsys.reports.inference import Inference, too_few_resamples, too_few_users
from recsys.reports.randomisation import randomisation_p
from recsys.reports.statistics import UserValues, corrected, paired_difference, paired_differences, sample
from recsys.schema import ConfigError

RANDOMISATION = Inference(test="randomisation")


@pytest.fixture
def values():
    return np.random.default_rng(1).gamma(0.5, size=(40, 3))


def test_paired_difference_equals_scipy(values):
    first, second = values[:, 0], values[:, 1]
    found = paired_difference(first, second, seed=3, inference=Inference(n_resamples=400))
    expected = stats.bootstrap(
        (first - second,),
        np.mean,
        n_resamples=400,
        confidence_level=expanded_level(0.95, 40),
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=1e-9)
    assert found.mean == pytest.approx(np.mean(first - second), abs=1e-12)
    # each end is the outer one of the BCa bootstrap and of Student's t
    low, high = stats.t.interval(0.95, 39, np.mean(first - second), stats.sem(first - second))
    assert found.low == pytest.approx(min(low, expected.low), abs=1e-9)
    assert found.high == pytest.approx(max(high, expected.high), abs=1e-9)
    assert found.n_users == 40
    # Cohen's d of paired values is the t-statistic over √n
    assert found.effect_size == pytest.approx(stats.ttest_rel(first, second).statistic / np.sqrt(40), abs=1e-9)


def test_differences_by_hand():
    found = paired_difference([0.5, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0], seed=0)
    # differences 1/2, 0, 1/2, 0: mean 1/4, variance (4 × 1/16) / 3 = 1/12
    assert found.mean == 1 / 4
    assert found.effect_size == pytest.approx((1 / 4) / (1 / 12) ** 0.5)
    assert (found.p_corrected, found.low_with_seeds) == (None, None)
    # 1/2 and 1/2 have the same sign in half of all cases
    assert paired_difference([0.5, 0.5, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0], 0, RANDOMISATION).p == 1 / 2


@pytest.mark.parametrize("inference", [Inference(), RANDOMISATION])
def test_equal_cells_do_not_differ_and_a_constant_difference_is_certain(inference):
    third = np.full(12, 1 / 3)
    same, constant = paired_differences(np.stack([third, third + 1 / 7], axis=1), third, 0, inference)
    assert (same.mean, same.low, same.high, same.p, same.effect_size) == (0, 0, 0, 1, 0)
    assert (constant.mean, constant.low, constant.high) == (pytest.approx(1 / 7),) * 3
    assert constant.p < 0.001
    assert constant.effect_size > 1e6


@pytest.mark.parametrize("inference", [Inference(), RANDOMISATION])
def test_all_pairs_are_the_pairs_one_by_one(inference):
    values = np.random.default_rng(0).gamma(0.5, size=(60, 3, 4))
    pairs = {(first, second): difference for first, second, difference in sample(values, 7, inference).pairs()}
    assert sorted(pairs) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    for (first, second), found in pairs.items():
        alone = paired_difference(values[:, :, first], values[:, :, second], 7, inference)
        for name in ("mean", "low", "high", "p", "p_users", "effect_size", "low_with_seeds", "high_with_seeds"):
            assert getattr(found, name) == pytest.approx(getattr(alone, name), abs=1e-9)
    means = values.mean(axis=1)
    if inference is RANDOMISATION:
        assert pairs[1, 3].p_users == pytest.approx(randomisation_p(means[:, 1] - means[:, 3], 7), abs=1e-9)
    else:
        assert pairs[1, 3].p_users == pytest.approx(stats.ttest_rel(means[:, 1], means[:, 3]).pvalue, abs=1e-9)


def test_a_difference_the_other_way_round():
    values = np.random.default_rng(0).gamma(0.5, size=(60, 3, 2))
    there = paired_difference(values[:, :, 0], values[:, :, 1], seed=0)
    back = paired_difference(values[:, :, 1], values[:, :, 0], seed=0)
    for name in ("mean", "low", "high", "p", "p_users", "effect_size", "low_with_seeds", "high_with_seeds"):
        assert getattr(there.reversed, name) == pytest.approx(getattr(back, name), abs=1e-9)
    assert there.reversed.reversed == there


def test_a_family_is_corrected_as_the_inference_says():
    differences = paired_differences(np.random.default_rng(0).normal(0.2, size=(30, 4)), np.zeros(30), seed=0)
    p = [difference.p for difference in differences]
    for inference, method in (
        (Inference(), "bonferroni-holm"),
        (Inference(correction="benjamini_hochberg"), "bh"),
    ):
        found = [difference.p_corrected for difference in corrected(differences, inference)]
        if method == "bh":
            assert found == pytest.approx(stats.false_discovery_control(p), abs=1e-9)
        else:
            assert min(found) == pytest.approx(4 * min(p))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"test": "wilcoxon"}, "test=wilcoxon; expected t or randomisation"),
        ({"correction": "bonferroni"}, "correction=bonferroni; expected holm or benjamini_hochberg"),
        ({"seed_interval": "none"}, "seed_interval=none; expected two_level_t or two_level_bootstrap"),
        ({"level": 95}, "level is 95; expected a finite number of at least 0.5 and below 1"),
        ({"level": "high"}, "level is 'high'"),
        ({"n_resamples": 10}, "n_resamples is 10; expected a whole number of at least 100"),
    ],
)
def test_an_inference_that_there_is_not_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Inference(**wrong)


def test_a_randomisation_test_that_cannot_find_anything_is_warned_of():
    # the smallest p is 1/1001, and times 60 it is 0.0599
    few = Inference(test="randomisation", n_resamples=1000)
    warning = too_few_resamples(few, 60)
    assert warning is not None
    assert "use 1200 or more" in warning
    assert too_few_resamples(few, 50) is None  # 50/1001 < 0.05
    assert too_few_resamples(Inference(n_resamples=1000), 60) is None


# The Monte Carlo error of a rate over 2,000 studies is √(0.05 × 0.95 / 2000) = 0.005 in what follows.


@pytest.mark.parametrize("test", ["t", "randomisation"])
def test_without_a_difference_one_study_in_twenty_is_significant(test):
    generator = np.random.default_rng(1)
    levels = user_levels(generator, 200, 2000)
    first, second = one_seed(generator, levels), one_seed(generator, levels)
    found = paired_differences(first - second, np.zeros(200), 0, Inference(test=test, n_resamples=1000))
    assert 0.04 <= np.mean([difference.p < 0.05 for difference in found]) <= 0.06


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.0, 0.8])
def test_intervals_of_differences_cover(share):
    """A second cell that hits as often as the first, or four times in five."""
    generator = np.random.default_rng(0)
    levels = user_levels(generator, 500, 2000)
    first, second = one_seed(generator, levels), one_seed(generator, share * levels)
    found = paired_differences(first - second, np.zeros(500), 0)
    truth = MEAN * (1 - share)
    assert 0.94 <= np.mean([difference.low <= truth <= difference.high for difference in found]) <= 0.96


@pytest.mark.slow
def test_holm_bounds_the_rate_of_any_false_positive_among_all_pairs():
    """Five equal cells, ten pairs, 1,000 studies: without correction 0.05 becomes 0.27, with Holm's at most 0.05."""
    generator = np.random.default_rng(0)
    n_any = np.zeros(2)
    for _ in range(1000):
        values = one_seed(generator, np.repeat(user_levels(generator, 200, 1), 5, axis=1))
        family = corrected([pair for _, _, pair in sample(values, 0, Inference(n_resamples=100)).pairs()], Inference())
        n_any += [any(own.p < 0.05 for own in family), any((own.p_corrected or 0) < 0.05 for own in family)]
    assert n_any[0] / 1000 > 0.2
    assert n_any[1] / 1000 <= 0.05 + 2 * 0.007


def test_with_seeds_that_differ_the_test_over_users_is_about_these_seeds():
    """Two cells of one distribution of seeds: their means over three seeds differ, and users tell that they do."""
    generator = np.random.default_rng(0)
    levels = 0.8 * user_levels(generator, 500, 500)
    first, second = (several_seeds(generator, levels, 3, 0.2) for _ in range(2))
    found = sample(first - second, 0, Inference(n_resamples=500)).intervals()
    assert np.mean((found.low > 0) | (found.high < 0)) > 0.15
    assert found.low_with_seeds is not None
    assert found.high_with_seeds is not None
    assert np.mean((found.low_with_seeds > 0) | (found.high_with_seeds < 0)) <= 0.06


@pytest.mark.parametrize(("hits", "n_users"), [(0.05, 200), (0.11, 100), (0.25, 50)])
def test_intervals_cover_where_ten_users_have_hits(hits, n_users):
    """About ten users with values other than 0, the least without a warning: 94-96 %, up to Monte Carlo error."""
    generator = np.random.default_rng(0)
    levels = user_levels(generator, n_users, 2000, hits)
    first, same, worse = (one_seed(generator, share * levels) for share in (1.0, 1.0, 0.8))
    mean = hits * GAINS.mean()
    low, high = bootstrap_interval(first, 0, 1000)
    assert 0.93 <= np.mean((low <= mean) & (high >= mean)) <= 0.97
    for values, truth in ((first - same, 0.0), (first - worse, 0.2 * mean)):
        found = paired_differences(values, np.zeros(n_users), 0, Inference(n_resamples=1000))
        assert 0.935 <= np.mean([own.low <= truth <= own.high for own in found]) <= 0.97


def test_users_with_a_value_are_counted_by_their_own_sums():
    sums = np.array([[1.0, 0.0], [0.1 + 0.2, 0.3], [0.0, 0.0], [2.0, 2.0]])[:, None, :]
    linearised = UserValues(sums + 0.125 * np.arange(1, 5)[:, None, None], sums)
    found = sample(linearised, 0, Inference(n_resamples=100))
    assert found.n_users().tolist() == [3, 2]  # not 4, although no linearised value is 0
    assert found.differences([0], 1)[0].n_users == 1  # 0.1 + 0.2 is 0.3


def test_fewer_users_are_warned_of():
    warning = too_few_users({"a": 9, "b": 10, "c": 0}, "ndcg@10")
    assert warning is not None
    assert "fewer than 10 users have a value of ndcg@10 other than 0 in a (9), c (0)" in warning
    assert too_few_users({"b": 10}, "ndcg@10") is None
