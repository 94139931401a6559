from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from recsys.reports.corrections import CORRECTIONS, NAMES, benjamini_hochberg, holm


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 13, 200])
@pytest.mark.parametrize(("correct", "method"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_corrections_equal_statsmodels(n, correct, method):
    p = np.random.default_rng(n).uniform(size=n) ** 3
    p[: n // 3] = p[0]  # ties
    np.testing.assert_allclose(correct(p), multipletests(p, method=method)[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("correct", CORRECTIONS.values())
def test_p_values_of_32_bits_are_corrected_with_64(correct):
    p = np.random.default_rng(0).uniform(size=9).astype(np.float32)
    assert correct(p) == correct(p.astype(np.float64))


def test_holm_by_hand():
    assert holm([0.02, 0.01, 0.5]) == pytest.approx([0.02 * 2, 0.01 * 3, 0.5])
    assert holm([0.01, 0.011]) == pytest.approx([0.02, 0.02])  # never below a smaller one's
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_benjamini_hochberg_by_hand():
    assert benjamini_hochberg([0.02, 0.01, 0.5]) == pytest.approx([0.02 * 3 / 2, 0.01 * 3, 0.5])
    assert benjamini_hochberg([0.04, 0.05]) == pytest.approx([0.05, 0.05])  # never above a larger one's
    assert benjamini_hochberg([0.9, 0.8]) == [0.9, 0.9]


@pytest.mark.parametrize("correct", CORRECTIONS.values())
def test_an_empty_family(correct):
    assert correct([]) == []


def test_each_correction_has_a_name():
    assert NAMES.keys() == CORRECTIONS.keys()
