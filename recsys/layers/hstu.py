"""The HSTU layer: attention weights by SiLU in place of softmax, and a gate in place of a feed-forward block."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.layers.causal_attention import causal_mask


class HSTULayer(nn.Module):
    """x + W(LayerNorm(A V) ⊙ U), with A = SiLU(Q Kᵀ + b) / n for earlier items and the item itself.

    U, V, Q and K are SiLU of linear maps of LayerNorm(x); b is a learnt bias of the distance between both items.
    Zhai et al., "Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for Generative
    Recommendations", ICML 2024.

    Args:
        dim: Width of the vectors.
        n_heads: Attention heads; must divide `dim`.
        max_positions: Items further apart share one bias. It is also n, by which attention weights are divided.
        dropout: Dropout rate in training.
    """

    def __init__(self, dim: int, n_heads: int, max_positions: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.max_positions = n_heads, max_positions
        self.project_in, self.project_out = nn.Linear(dim, 4 * dim, bias=False), nn.Linear(dim, dim)
        nn.init.normal_(self.project_in.weight, std=0.02)
        self.norm_in, self.norm_attended = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.distance_bias = nn.Parameter(torch.randn(max_positions) * 0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """Outputs (B, L, dim) for vectors (B, L, dim), oldest first."""
        u, v, q, k = functional.silu(self.project_in(self.norm_in(vectors))).chunk(4, dim=-1)
        query, key, value = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in (q, k, v))
        weights = functional.silu(query @ key.transpose(2, 3) + self._biases(vectors.shape[1])) / self.max_positions
        weights = weights * causal_mask(vectors.shape[1], vectors.device)
        attended = self.norm_attended((weights @ value).transpose(1, 2).flatten(2))
        output: Tensor = vectors + self.project_out(self.dropout(u * attended))
        return output

    def _biases(self, length: int) -> Tensor:
        """(L, L) the bias of each pair of an item (row) and an earlier one (column)."""
        steps = torch.arange(length, device=self.distance_bias.device)
        return self.distance_bias[(steps.unsqueeze(1) - steps).clamp(0, self.max_positions - 1)]
