"""Segments of items by their train interactions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recsys.metrics.context import MetricContext


def item_segments(context: MetricContext, shares: Sequence[float]) -> dict[str, Tensor]:
    """Masks (n_items,) of the cold, tail, torso and head items; they are disjoint and cover the catalogue.

    Head items are the most popular ones that together make the first `shares[0]` of the train interactions, torso those
    up to `shares[1]`, tail the other warm ones. Items of equal popularity are in the same segment: that of the first of
    them.

    Example:
        >>> counts = torch.tensor([6, 0, 3, 1, 1, 1])
        >>> context = MetricContext(6, counts, 6, counts > 0)
        >>> {name: mask.nonzero().squeeze(1).tolist() for name, mask in item_segments(context, [0.5, 0.75]).items()}
        {'cold': [1], 'tail': [3, 4, 5], 'torso': [2], 'head': [0]}
    """
    counts, warm = context.item_counts, context.warm_items
    ascending = counts.sort().values
    up_to = ascending.cumsum(0)[torch.searchsorted(ascending, counts, right=True) - 1]
    total = up_to.max().clamp(min=1)
    share_of_more_popular = (total - up_to).double() / total
    head, torso = share_of_more_popular < shares[0], share_of_more_popular < shares[1]
    return {"cold": ~warm, "tail": warm & ~torso, "torso": warm & torso & ~head, "head": warm & head}
