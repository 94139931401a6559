from __future__ import annotations

import numpy as np
import pytest
from reports.simulated_studies import one_seed, user_levels
from scipy import stats

from recsys.reports import randomisation
from recsys.reports.randomisation import randomisation_p


def scipys(differences: np.ndarray, n_resamples: float) -> float:
    found = stats.permutation_test(
        (differences,),
        lambda sample, axis: np.abs(np.mean(sample, axis=axis)),
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_resamples,
        alternative="greater",
        rng=np.random.default_rng(8),
    )
    return found.pvalue


@pytest.mark.parametrize("n", [2, 5, 10])
def test_all_signs_equal_scipy(n):
    differences = np.random.default_rng(n).normal(0.3, size=(n, 4))
    found = randomisation_p(differences, seed=0, n_resamples=2**n)
    for column in range(4):
        assert found[column] == pytest.approx(scipys(differences[:, column], np.inf), abs=1e-9)


def test_drawn_signs_are_close_to_scipys():
    """p near 0.16 of 20,000 draws each: a standard error of √2 √(0.16 × 0.84 / 20000) = 0.0037."""
    differences = np.random.default_rng(0).gamma(0.5, size=60) - 0.38
    found = randomisation_p(differences, seed=0, n_resamples=20_000)
    assert found == pytest.approx(scipys(differences, 20_000), abs=0.015)
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.03)


def test_by_hand():
    # 1, 2, 3, -1 sum to 5. Of 16 ways of giving signs those with a sum of at least 5 lose 1 at most out of 7: none
    # negative, the first negative, or the last negative: 3, and 3 with all signs turned
    assert randomisation_p([1.0, 2.0, 3.0, -1.0], seed=0) == 6 / 16
    tenths = np.array([0.1, 0.2, 0.3, -0.1])  # rounding breaks no tie, in any unit
    assert randomisation_p(np.outer(tenths, [1, 1e-14, 1e14]), seed=0).tolist() == [6 / 16] * 3


def test_the_smallest_p_of_drawn_signs_is_one_of_all_draws_and_the_one_that_was_seen():
    assert randomisation_p(np.ones(100), seed=0, n_resamples=999) == 1 / 1000


def test_equal_cells_do_not_differ():
    assert randomisation_p(np.zeros(5), seed=0) == 1
    assert randomisation_p(np.zeros(50), seed=0) == 1


def test_p_does_not_depend_on_chunks_or_on_other_columns(monkeypatch):
    differences = np.random.default_rng(3).normal(size=(30, 3))
    whole = randomisation_p(differences, seed=1, n_resamples=500)
    monkeypatch.setattr(randomisation, "_SIGNS", 7 * 30)
    assert randomisation_p(differences, seed=1, n_resamples=500).tolist() == whole.tolist()
    assert randomisation_p(differences[:, 2], seed=1, n_resamples=500) == whole[2]


def test_without_a_difference_one_study_in_twenty_is_significant():
    """The Monte Carlo error of a rate near 0.05 over 2,000 studies is √(0.05 × 0.95 / 2000) = 0.005."""
    generator = np.random.default_rng(0)
    levels = user_levels(generator, 200, 2000)
    p = randomisation_p(one_seed(generator, levels) - one_seed(generator, levels), seed=0)
    assert 0.04 <= np.mean(p < 0.05) <= 0.06
