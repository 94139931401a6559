"""Rank correlations of candidates' scores with properties that should not influence them."""

from __future__ import annotations

from torch import Tensor

FEWEST = 3  # candidates that a user needs to count


def mean_spearman(first: Tensor, second: Tensor, mask: Tensor) -> float:
    """Spearman's rank correlation of both (B, N) within each row where `mask` (B, N), averaged over rows.

    Equal values have the mean of their ranks. Rows with fewer than three candidates, or whose values are all equal, are
    left out; NaN if no row remains.

    Example:
        >>> first, second = Tensor([[1, 2, 3]]), Tensor([[5, 9, 7]])
        >>> mean_spearman(first, second, first > 0)
        0.5
    """
    one, other = (_centred_ranks(values, mask) for values in (first, second))
    lengths = (one.square().sum(dim=1) * other.square().sum(dim=1)).sqrt()
    counted = (mask.sum(dim=1) >= FEWEST) & (lengths > 0)
    return float(((one * other).sum(dim=1) / lengths)[counted].mean())


def _centred_ranks(values: Tensor, mask: Tensor) -> Tensor:
    pairs = values.unsqueeze(2) - values.unsqueeze(1)
    both = mask.unsqueeze(2) & mask.unsqueeze(1)
    # Half the difference of how many are smaller and how many are larger is the rank less its mean.
    return (pairs.sign().double() * both).sum(dim=2) / 2
