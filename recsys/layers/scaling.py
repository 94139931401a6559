"""Standardisation of text vectors, so that their mean does not dominate their differences."""

from __future__ import annotations

import torch
from torch import Tensor


def centering(vectors: Tensor, each: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and scale, both (dim,), by which (vector − mean) · scale has mean 0 and a mean squared length of 1.

    Args:
        vectors: (n, dim).
        each: Whether every dimension is scaled to the same variance; otherwise all have the same scale.
    """
    vectors = vectors.double()
    mean = vectors.mean(dim=0)
    variance = (vectors - mean).square().mean(dim=0)
    # A constant dimension has no information, and is not scaled up.
    varies = variance > 1e-12
    squared_length = variance * varies.sum() if each else variance.sum()
    return mean, torch.where(varies, squared_length.expand_as(variance).rsqrt(), torch.zeros_like(variance))
