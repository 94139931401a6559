"""Causal self-attention with gated residual connections: eSASRec's user encoder."""

from __future__ import annotations

from recsys.layers.causal_attention import check_layers
from recsys.layers.ligr import LiGRLayer
from recsys.profiles.causal import CausalProfile
from recsys.schema import ModelContext


class LiGRProfile(CausalProfile):
    """The output of LiGR layers at the newest item.

    Tikhonovich et al., "eSASRec: Enhancing Transformer-based Recommendations in a Modular Fashion", RecSys 2025 (arXiv
    2508.06450); the layers are from arXiv 2502.03417.

    Args:
        context: Sizes of the data.
        n_layers: Number of layers.
        n_heads: Attention heads; must divide the width of item vectors.
        max_positions: Later items share the last position.
        dropout: Dropout rate in training.

    Raises:
        ConfigError: If `n_heads` does not divide the width, or a size is not positive.
    """

    def __init__(
        self,
        context: ModelContext,
        n_layers: int = 2,
        n_heads: int = 2,
        max_positions: int = 200,
        dropout: float = 0.1,
    ) -> None:
        check_layers(context.dim, n_layers, n_heads, dropout)
        layers = (LiGRLayer(context.dim, n_heads, dropout) for _ in range(n_layers))
        super().__init__(layers, context.dim, max_positions, dropout)
