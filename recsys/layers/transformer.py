"""The transformer of the profiles that read histories with one."""

from __future__ import annotations

from torch import nn

from recsys.schema import ConfigError


def transformer(dim: int, n_layers: int, n_heads: int, dropout: float) -> nn.TransformerEncoder:
    """Layers that normalise before each block, with GELU and an inner width of four times the outer.

    Raises:
        ConfigError: If `n_heads` does not divide the width, or there is no layer.
    """
    if n_layers < 1:
        raise ConfigError(f"profile.n_layers is {n_layers}; expected a positive number.")
    if n_heads < 1 or dim % n_heads:
        raise ConfigError(f"profile.n_heads is {n_heads}; expected a divisor of features.dim, which is {dim}.")
    layer = nn.TransformerEncoderLayer(
        dim, n_heads, 4 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, n_layers, nn.LayerNorm(dim), enable_nested_tensor=False)


def positions(n: int, dim: int) -> nn.Embedding:
    """Learnt vectors of `n` positions.

    Raises:
        ConfigError: If there is none.
    """
    if n < 1:
        raise ConfigError(f"profile.max_positions is {n}; expected a positive number.")
    embedding = nn.Embedding(n, dim)
    nn.init.normal_(embedding.weight, std=0.02)
    return embedding
