"""Counts of true values by row."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

_WORD = 8  # bytes of a 64-bit number
_SUMMANDS = 255  # of zeros and ones that a byte can hold the sum of


def true_in_rows(mask: Tensor) -> Tensor:
    """(B,) how many of each row of a (B, C) bool are true, int64.

    Torch adds bytes one by one. Eight at once are added here, as one number of 64 bits, of which so few are summed that
    no byte overflows.

    Example:
        >>> true_in_rows(torch.tensor([[True, False, True], [False, False, False]])).tolist()
        [2, 0]
    """
    width = mask.shape[1]
    padded = pad(mask.view(torch.uint8), (0, -width % (_WORD * _SUMMANDS)))
    sums = padded.view(torch.int64).unflatten(1, (-1, _SUMMANDS)).sum(dim=2)
    return sums.view(torch.uint8).sum(dim=1)
