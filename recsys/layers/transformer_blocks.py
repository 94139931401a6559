"""The transformer layers that several profiles and rankers use."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.causal_attention import check_layers
from recsys.support.number_checks import check_whole


def transformer(dim: int, n_layers: int, n_heads: int, dropout: float) -> nn.TransformerEncoder:
    """Pre-norm transformer layers with GELU and an inner width of 4 · `dim`, and a final layer normalisation.

    Raises:
        ConfigError: If `n_heads` does not divide the width, there is no layer, or `dropout` is not a rate.
    """
    check_layers(dim, n_layers, n_heads, dropout)
    layer = nn.TransformerEncoderLayer(
        dim, n_heads, 4 * dim, dropout, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, n_layers, nn.LayerNorm(dim), enable_nested_tensor=False)


def state_at(layers: nn.TransformerEncoder, vectors: Tensor, place: Tensor) -> Tensor:
    """Output (B, dim) of the causal `layers` of `transformer` at one position (B,) of each sequence (B, L, dim).

    The last layer is computed at that position only, which saves almost half the time of two layers.
    """
    steps = torch.arange(vectors.shape[1], device=vectors.device)
    later = steps > steps.unsqueeze(1)  # (L, L), True where a later item must not be seen
    *below, top = layers.layers
    for layer in below:
        # Without is_causal, a layer reads the mask to detect causality, which cannot be exported.
        vectors = layer(vectors, src_mask=later, is_causal=True)
    rows = torch.arange(vectors.shape[0], device=vectors.device)
    normed = top.norm1(vectors)
    query, hidden = normed[rows, place].unsqueeze(1), later[place]
    attended = top.self_attn(query, normed, normed, key_padding_mask=hidden, need_weights=False)[0]
    state = vectors[rows, place].unsqueeze(1) + top.dropout1(attended)
    inner = top.dropout(top.activation(top.linear1(top.norm2(state))))
    state = state + top.dropout2(top.linear2(inner))
    return (state if layers.norm is None else layers.norm(state)).squeeze(1)


def positions(n: int, dim: int) -> nn.Embedding:
    """Learnt vectors of `n` positions.

    Raises:
        ConfigError: If there is none.
    """
    check_whole("profile.max_positions", n, 1)
    embedding = nn.Embedding(n, dim)
    nn.init.normal_(embedding.weight, std=0.02)
    return embedding
