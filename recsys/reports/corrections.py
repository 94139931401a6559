"""Corrections of p-values for a family of comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

HOLM = "holm"
BENJAMINI_HOCHBERG = "benjamini_hochberg"
NAMES = {HOLM: "Holm", BENJAMINI_HOCHBERG: "Benjamini-Hochberg"}


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected by Holm's step-down method (1979).

    A threshold on them bounds the family-wise error rate, the probability of one or more false positives, under any
    dependence of the tests.

    Example:
        >>> holm([0.03, 0.01, 0.2])
        [0.06, 0.03, 0.2]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values corrected by the step-up method of Benjamini and Hochberg (1995).

    A threshold on them bounds the false discovery rate, the expected share of false positives among the positives, if
    the tests are independent or positively dependent.

    Example:
        >>> benjamini_hochberg([0.03, 0.01, 0.25])
        [0.045, 0.03, 0.25]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)[::-1]
    corrected = np.empty_like(p)
    corrected[order] = np.minimum.accumulate(p[order] * (len(p) / np.arange(len(p), 0, -1)))
    return corrected.tolist()


CORRECTIONS: dict[str, Callable[[Sequence[float]], list[float]]] = {
    HOLM: holm,
    BENJAMINI_HOCHBERG: benjamini_hochberg,
}
