"""Overrides that make a whole run as small as it gets."""

from __future__ import annotations

# Pretraining from scratch.
TINY_GPT2 = [
    "encoder.sizes={vocabulary_size: 400, n_layers: 1, n_heads: 2, hidden_dim: 16}",
    "encoder.pretraining.epochs=1",
]
