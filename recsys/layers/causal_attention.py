"""Multi-head self-attention in which an item attends to itself and to earlier items."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole


def causal_mask(length: int, device: torch.device) -> Tensor:
    """(L, L) bool, True where an item (row) may attend to another (column): to itself and to earlier ones."""
    steps = torch.arange(length, device=device)
    return steps <= steps.unsqueeze(1)


def check_layers(dim: int, n_layers: int, n_heads: int, dropout: float) -> None:
    """Check the sizes and the dropout rate of a stack of attention layers of a profile.

    Raises:
        ConfigError: If `n_heads` does not divide the width, there is no layer, or `dropout` is not a rate.
    """
    check_whole("profile.n_layers", n_layers, 1)
    check_heads(dim, n_heads)
    check_number("profile.dropout", dropout, at_least=0, below=1)


def check_heads(dim: int, n_heads: int) -> None:
    """Check the number of attention heads.

    Raises:
        ConfigError: If `n_heads` does not divide the width.
    """
    if n_heads < 1 or dim % n_heads:
        raise ConfigError(f"profile.n_heads is {n_heads}; expected a divisor of features.dim, which is {dim}.")


class CausalAttention(nn.Module):
    """Scaled dot-product attention by torch's fused kernel.

    Args:
        dim: Width of the vectors.
        n_heads: Number of heads; must divide `dim`.
        dropout: Dropout rate of the attention weights in training.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.project_in, self.project_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.project_in.weight)
        nn.init.zeros_(self.project_in.bias)
        nn.init.zeros_(self.project_out.bias)

    def forward(self, vectors: Tensor, mask: Tensor | None = None) -> Tensor:
        """Outputs (B, L, dim) for vectors (B, L, dim).

        Args:
            vectors: The items' vectors, oldest first.
            mask: Bool, broadcast to (B, n_heads, L, L), True where an item may attend to another; None is causal.
        """
        query, key, value = self._heads(self.project_in(vectors), 3)
        return self._attended(query, key, value, mask)

    def at(self, queries: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
        """The outputs (B, Q, dim) of `forward` at some items only, at the cost of these.

        Args:
            queries: (B, Q, dim), the vectors of these items.
            vectors: (B, L, dim), the vectors of all items.
            mask: Bool, broadcast to (B, n_heads, Q, L), True where one of these items may attend to an item.
        """
        dim = vectors.shape[-1]
        weight, bias = self.project_in.weight, self.project_in.bias
        (query,) = self._heads(functional.linear(queries, weight[:dim], bias[:dim]), 1)
        key, value = self._heads(functional.linear(vectors, weight[dim:], bias[dim:]), 2)
        return self._attended(query, key, value, mask)

    def _heads(self, projected: Tensor, n: int) -> tuple[Tensor, ...]:
        """`n` tensors (B, n_heads, L, dim / n_heads) of a projection (B, L, n · dim)."""
        return projected.unflatten(-1, (n, self.n_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)

    def _attended(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        rate = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, mask, rate, is_causal=mask is None)
        output: Tensor = self.project_out(attended.transpose(1, 2).flatten(2))
        return output
