"""A small encoder-decoder over sequences of codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recsys.layers.transformer_blocks import positions, transformer


class CrossLayer(nn.Module):
    """Attention of queries to the encoded history, then a perceptron, each after a layer normalisation.

    Args:
        dim: Width of the vectors.
        n_heads: Number of heads; must divide `dim`.
        dropout: Dropout rate, in training.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.norm_inner = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, n_heads, dropout, batch_first=True)
        self.inner = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, memory: Tensor, padding: Tensor | None, hidden: Tensor | None) -> Tensor:
        """Vectors (B, Q, dim); `padding` (B, S) and `hidden` (Q, S) are True for entries of `memory` to ignore."""
        normed = self.norm(queries)
        found = self.attention(normed, memory, memory, padding, need_weights=False, attn_mask=hidden)[0]
        queries = queries + self.dropout(found)
        output: Tensor = queries + self.dropout(self.inner(self.norm_inner(queries)))
        return output


class CodeTransformer(nn.Module):
    """Reads the codes of a history and predicts those of an item, one after the other.

    The encoder is causal over the history's codes, which follow a start token, so that one pass serves all positions of
    a sequence. The decoder reads a prefix as the sum of its codes' vectors, with a table for each level, and attends to
    the history.

    Args:
        sizes: Number of codes at each of the D levels.
        dim: Width of the vectors.
        n_layers: Layers of the encoder, and of the decoder.
        n_heads: Number of heads; must divide `dim`.
        dropout: Dropout rate, in training.
        max_positions: Number of items of a history with a position embedding of their own; later ones share the last.
    """

    offsets: Tensor

    def __init__(
        self, sizes: Sequence[int], dim: int, n_layers: int, n_heads: int, dropout: float, max_positions: int
    ) -> None:
        super().__init__()
        self.sizes, self.depth = list(sizes), len(sizes)
        self.register_buffer("offsets", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.inputs, self.outputs = nn.Embedding(sum(sizes), dim), nn.Linear(dim, sum(sizes))
        self.start, self.levels = nn.Parameter(torch.zeros(1, 1, dim)), nn.Embedding(self.depth, dim)
        for table in (self.inputs, self.levels):
            nn.init.normal_(table.weight, std=0.05)
        nn.init.normal_(self.start, std=0.05)
        self.positions, self.dropout = positions(max_positions, dim), nn.Dropout(dropout)
        self.encoder = transformer(dim, n_layers, n_heads, dropout)
        self.decoder = nn.ModuleList(CrossLayer(dim, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim)

    def encode(self, codes: Tensor) -> Tensor:
        """The encoded history (B, 1 + L·D, dim) of the codes (B, L, D) of items, oldest first."""
        length = codes.shape[1]
        place = torch.arange(length, device=codes.device).clamp(max=self.positions.num_embeddings - 1)
        tokens = self.inputs(codes + self.offsets) + self.positions(place).unsqueeze(1)
        vectors = torch.cat([self.start.expand(len(codes), -1, -1), tokens.flatten(1, 2)], dim=1)
        steps = torch.arange(vectors.shape[1], device=codes.device)
        later = steps > steps.unsqueeze(1)
        encoded: Tensor = self.encoder(self.dropout(vectors), mask=later, is_causal=True)
        return encoded

    def prefixes(self, codes: Tensor) -> Tensor:
        """Vectors (*, D, dim) of the prefixes of 0 … D − 1 codes of items with codes (*, D)."""
        vectors = self.inputs(codes + self.offsets)
        return vectors.cumsum(dim=-2) - vectors + self.levels.weight

    def decode(self, prefixes: Tensor, memory: Tensor, padding: Tensor | None, hidden: Tensor | None) -> Tensor:
        """States (B, Q, dim) of prefixes (B, Q, dim); the masks are those of `CrossLayer`."""
        for layer in self.decoder:
            prefixes = layer(prefixes, memory, padding, hidden)
        states: Tensor = self.norm(prefixes)
        return states

    def logits(self, states: Tensor, level: int) -> Tensor:
        """Logits (*, size) of the codes of a level for states (*, dim)."""
        rows = slice(int(self.offsets[level]), int(self.offsets[level]) + self.sizes[level])
        return nn.functional.linear(states, self.outputs.weight[rows], self.outputs.bias[rows])
