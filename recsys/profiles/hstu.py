"""Attention without softmax over the history: HSTU's user encoder."""

from __future__ import annotations

from recsys.layers.causal_attention import check_layers
from recsys.layers.hstu import HSTULayer
from recsys.profiles.causal import CausalProfile
from recsys.schema import ModelContext


class HSTUProfile(CausalProfile):
    """The output of HSTU layers at the newest item, with a learnt bias of the distance between items.

    Zhai et al., "Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers for Generative
    Recommendations", ICML 2024. The paper's bias of the time between items is left out.

    Args:
        context: Sizes of the data.
        n_layers: Number of layers.
        n_heads: Attention heads; must divide the width of item vectors.
        max_positions: Later items share the last position, and items further apart share one bias.
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
        layers = (HSTULayer(context.dim, n_heads, max_positions, dropout) for _ in range(n_layers))
        super().__init__(layers, context.dim, max_positions, dropout)
