"""Losses over the scores of a positive and its negatives. Each takes and gives the same shapes, so any can be swapped.

Shapes: `positive` (B,), `negative` (B, N), `mask` (B, N, bool; False for a known positive or padding).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bpr(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """Bayesian personalised ranking: −log σ(positive − negative), averaged over pairs.

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.

    Example:
        >>> loss = bpr(torch.tensor([1.0]), torch.tensor([[1.0, 9.0]]), torch.tensor([[True, False]]))
        >>> round(loss.item(), 4)  # -log(1/2)
        0.6931
    """
    return _masked_mean(functional.softplus(negative - positive.unsqueeze(1)), mask)


def bce(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy: positives are 1, negatives 0; each side counts one half however many negatives there are.

    Example:
        >>> loss = bce(torch.tensor([0.0]), torch.tensor([[0.0]]), torch.tensor([[True]]))
        >>> round(loss.item(), 4)  # log(2)
        0.6931
    """
    return 0.5 * (functional.softplus(-positive).mean() + _masked_mean(functional.softplus(negative), mask))


def softmax(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of the positive against itself and its negatives.

    Full softmax where the negatives are the whole catalogue (`negatives=all`), else sampled softmax: the sampler's logQ
    correction, where it has one, is in the scores already.

    Example:
        >>> loss = softmax(torch.tensor([2.0]), torch.tensor([[2.0, 2.0, 7.0]]), torch.tensor([[True, True, False]]))
        >>> round(loss.item(), 4)  # log(3)
        1.0986
    """
    logits = torch.cat([positive.unsqueeze(1), negative.masked_fill(~mask, -torch.inf)], dim=1)
    return (torch.logsumexp(logits, dim=1) - positive).mean()


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)
