"""The least that a transformer's forward pass can take on this machine: its weights' products with every real token."""

from __future__ import annotations

import time
from typing import Any

TOKENS = 2048  # of one product, as in a batch of `encoder.batch_tokens`


def seconds_per_token(config: Any, repeats: int = 5) -> float:
    """Seconds of the products of one token with all weights of a BERT, in float32; the fastest of some repeats.

    Nothing else is counted: no attention between tokens, no normalisation, no activation, no padding, no tokenising.

    Args:
        config: The model's, with `hidden_size`, `intermediate_size` and `num_hidden_layers`.
        repeats: How often it is measured.
    """
    import torch

    wide, inner = config.hidden_size, config.intermediate_size
    states, expanded = torch.randn(TOKENS, wide), torch.randn(TOKENS, inner)
    square = [torch.randn(wide, wide) for _ in range(4)]  # queries, keys, values, output
    up, down = torch.randn(wide, inner), torch.randn(inner, wide)

    def layer() -> None:
        for weights in square:
            torch.mm(states, weights)
        torch.mm(states, up)
        torch.mm(expanded, down)

    layer()
    fastest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(config.num_hidden_layers):
            layer()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest / TOKENS
