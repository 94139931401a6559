"""A filter that reweights low and high frequencies of a sequence, and BSARec's layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.causal_attention import CausalAttention


def low_pass_kernel(period: int, n_frequencies: int) -> Tensor:
    """(period,) float32, the circular convolution that keeps the lowest `n_frequencies` of the real Fourier transform.

    A sequence padded with zeros to `period` is filtered by this kernel without a transform.

    Example:
        >>> low_pass_kernel(4, 1).tolist()  # frequency 0 alone: the mean
        [0.25, 0.25, 0.25, 0.25]
    """
    frequencies = torch.arange(n_frequencies, dtype=torch.float64)
    own_mirror = (frequencies == 0) | (2 * frequencies == period)  # these occur once in the full transform
    angles = 2 * math.pi / period * torch.outer(torch.arange(period, dtype=torch.float64), frequencies)
    return ((angles.cos() * (2 - own_mirror.double())).sum(dim=1) / period).float()


class FrequencyFilter(nn.Module):
    """LayerNorm(x + low(x) + β² ⊙ (x − low(x))), with a learnt β for each dimension.

    Args:
        dim: Width of the vectors.
        period: Length of the Fourier transform, N.
        n_frequencies: Frequencies of `low`, from 0 on.
        dropout: Dropout rate of the filtered vectors in training.
    """

    kernel: Tensor

    def __init__(self, dim: int, period: int, n_frequencies: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("kernel", low_pass_kernel(period, n_frequencies), persistent=False)
        self.beta = nn.Parameter(torch.randn(dim))
        self.dropout, self.norm = nn.Dropout(dropout), nn.LayerNorm(dim)

    def forward(self, vectors: Tensor, at: Tensor | None = None) -> Tensor:
        """Outputs (B, L, dim) for vectors (B, L, dim) that are zeros at masked positions.

        Args:
            vectors: The items' vectors.
            at: (B, 1) int64, the one position of each row that is wanted, for outputs (B, 1, dim); None for all.
        """
        steps = torch.arange(vectors.shape[1], device=vectors.device)
        wanted = steps if at is None else at
        low = self.kernel[(wanted.unsqueeze(-1) - steps) % len(self.kernel)] @ vectors
        own = vectors if at is None else vectors.take_along_dim(at.unsqueeze(-1), 1)
        output: Tensor = self.norm(own + self.dropout(low + self.beta.square() * (own - low)))
        return output


class BSARecLayer(nn.Module):
    """α · filter(x) + (1 − α) · attention(x), then a feed-forward block; normalised after each residual.

    Shin et al., "An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention", AAAI 2024.

    Args:
        dim: Width of the vectors.
        n_heads: Attention heads; must divide `dim`.
        period: Length of the Fourier transform.
        n_frequencies: Number of low frequencies.
        alpha: Weight of the filter.
        dropout: Dropout rate in training.
    """

    def __init__(self, dim: int, n_heads: int, period: int, n_frequencies: int, alpha: float, dropout: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.filter = FrequencyFilter(dim, period, n_frequencies, dropout)
        self.attention, self.norm_attended = CausalAttention(dim, n_heads, dropout), nn.LayerNorm(dim)
        self.widen, self.narrow, self.norm = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, known: Tensor, mask: Tensor, at: Tensor | None = None) -> Tensor:
        """Outputs (B, L, dim) for vectors (B, L, dim), oldest first.

        Args:
            vectors: The items' vectors.
            known: (B, L, 1) bool, True at real items.
            mask: (B, 1, L, L) bool, True where an item may attend to another.
            at: (B, 1) int64, the one position of each row that is wanted, for outputs (B, 1, dim); None for all.
        """
        filtered = self.filter(vectors * known, at)
        if at is None:
            own, attended = vectors, self.attention(vectors, mask)
        else:
            own = vectors.take_along_dim(at.unsqueeze(-1), 1)
            attended = self.attention.at(own, vectors, mask.take_along_dim(at[:, None, :, None], 2))
        attended = self.norm_attended(own + self.dropout(attended))
        mixed = self.alpha * filtered + (1 - self.alpha) * attended
        output: Tensor = self.norm(mixed + self.dropout(self.narrow(functional.gelu(self.widen(mixed)))))
        return output
