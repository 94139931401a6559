"""Random numbers for (query, item) pairs that depend on the pair and a seed only."""

from __future__ import annotations

import torch
from torch import Tensor

_WEYL = 0x9E3779B97F4A7C15


def pair_hash(query: Tensor, items: Tensor, seed: int) -> Tensor:
    """An int64 for each pair of the broadcast `query` and `items`, uniform over all int64.

    SplitMix64 (Steele et al. 2014), started at the query and advanced to the item.

    Example:
        >>> table = pair_hash(torch.tensor([[3], [8]]), torch.arange(5), seed=0)
        >>> bool(table[1, 4] == pair_hash(torch.tensor(8), torch.tensor(4), seed=0))
        True
    """
    start = _mix(query.long() * _signed(_WEYL) + _signed(seed * 0xD1342543DE82EF95 + 1))
    return _mix(start + (items.long() + 1) * _signed(_WEYL))


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shift_right(x, 27)) * _signed(0x94D049BB133111EB)
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    # Torch's shift of a signed number copies the sign in; the mask takes it out again.
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    """The 64-bit two's complement of a whole number."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


HASH_MAX = torch.iinfo(torch.int64).max
