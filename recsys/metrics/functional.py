"""The formulas: pure functions of `hits` (B, K), the relevance of ranked lists, best first, or of raw scores.

`n_positives` (B,) is the number of relevant items of each query, at least 1: queries without any are skipped before.
`k` is the cut-off; it may exceed K, and missing items then count as not relevant.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recsys.metrics.counting import true_in_rows

FEW = 4  # from so many positives per query on, sorting its negatives is faster than comparing each positive with all


def ndcg(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:
    """Normalised discounted cumulative gain with binary gains (Järvelin & Kekäläinen 2002), (B,).

    Example:
        >>> ndcg(torch.tensor([[True, False, True]]), torch.tensor([2]), 3)  # (1 + 1/2) / (1 + 1/log2(3))
        tensor([0.9197])
    """
    discounts = 1 / torch.arange(2, k + 2, device=hits.device).float().log2()
    ideal = torch.cat([discounts.new_zeros(1), discounts.cumsum(0)])
    found = hits[:, :k]
    return (found * discounts[: found.shape[1]]).sum(dim=1) / ideal[n_positives.clamp(max=k)]


def recall(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:
    """Share of the relevant items that are in the list, (B,)."""
    return hits[:, :k].sum(dim=1) / n_positives


def hit_rate(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:  # noqa: ARG001 (one signature for all)
    """1 if any relevant item is in the list, else 0, (B,)."""
    return hits[:, :k].any(dim=1).float()


def precision(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:  # noqa: ARG001 (one signature for all)
    """Share of the k ranks that have a relevant item, (B,); a shorter list is divided by k too."""
    return hits[:, :k].sum(dim=1) / k


def average_precision(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:
    """Sum of the precision at each relevant item of the list, over all relevant items (not min(k, …)), (B,)."""
    found = hits[:, :k]
    return (found.cumsum(dim=1) * _reciprocal_ranks(found)).sum(dim=1) / n_positives


def reciprocal_rank(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:  # noqa: ARG001 (one signature for all)
    """1 / rank of the first relevant item, 0 if none is in the list, (B,)."""
    ranks = _reciprocal_ranks(hits[:, :k])
    return ranks.amax(dim=1) if ranks.shape[1] else ranks.sum(dim=1)


def mean_reciprocal_rank(hits: Tensor, n_positives: Tensor, k: int) -> Tensor:
    """1 / rank, averaged over all relevant items of the query, not only the first, (B,).

    The evaluation script of MIND (Wu et al. 2020) calls it MRR.
    """
    return _reciprocal_ranks(hits[:, :k]).sum(dim=1) / n_positives


def _reciprocal_ranks(hits: Tensor) -> Tensor:
    return hits / torch.arange(1, hits.shape[1] + 1, device=hits.device)


def auc(scores: Tensor, positives: Tensor) -> Tensor:
    """Share of (positive, negative) pairs in the right order, ties counting ½ (Mann & Whitney 1947), (B,).

    `scores` and `positives` are (B, C). Negatives are the other scores above -∞; NaN without any, or without positives.

    Example:
        >>> auc(torch.tensor([[0.9, 0.5, 0.5, 0.1]]), torch.tensor([[False, True, False, False]]))  # (0 + 1/2 + 1) / 3
        tensor([0.5000])
    """
    row, column = positives.nonzero(as_tuple=True)
    n_positives = row.bincount(minlength=len(scores))
    place = torch.arange(len(row), device=row.device) - (n_positives.cumsum(0) - n_positives)[row]
    # (B, P): positives packed to the left; entries after the last one are -∞, below which there is no negative.
    packed = scores.new_full((len(scores), int(n_positives.max()) if len(row) else 1), -torch.inf)
    packed[row, place] = scores[row, column]
    n_negatives = true_in_rows(scores > -torch.inf) - (packed > -torch.inf).sum(dim=1)
    if packed.shape[1] < FEW:
        below, below_or_equal = _compared(scores, packed, n_negatives)
    else:
        below, below_or_equal = _searched(scores.masked_fill(positives, -torch.inf), packed, n_negatives)
    return (below + below_or_equal).sum(dim=1) / (2 * n_positives * n_negatives)


def _compared(scores: Tensor, packed: Tensor, n_negatives: Tensor) -> tuple[Tensor, Tensor]:
    """How many negatives are below each of the `packed` positives (B, P), and how many below or equal to it."""
    at_least, above = (
        torch.stack([true_in_rows(compare(scores, own)) for own in packed.split(1, dim=1)], dim=1)
        - compare(packed.unsqueeze(1), packed.unsqueeze(2)).sum(dim=2)
        for compare in (torch.ge, torch.gt)
    )
    below = (n_negatives.unsqueeze(1) - at_least).masked_fill(packed == -torch.inf, 0)  # since -∞ ≥ -∞
    return below, n_negatives.unsqueeze(1) - above


def _searched(negatives: Tensor, packed: Tensor, n_negatives: Tensor) -> tuple[Tensor, Tensor]:
    """As `_compared`, of the negatives' scores (B, C), -∞ elsewhere, sorted."""
    ordered = _sorted_rows(negatives)
    n_others = negatives.shape[1] - n_negatives.unsqueeze(1)
    below, below_or_equal = (torch.searchsorted(ordered, packed, right=right) for right in (False, True))
    return (below - n_others).clamp(min=0), below_or_equal - n_others


def _sorted_rows(values: Tensor) -> Tensor:
    if values.device.type == "cpu":  # numpy sorts float32 with SIMD, about 20 times as fast as torch
        return torch.from_numpy(np.sort(values.detach().numpy(), axis=1))
    return values.sort(dim=1).values


def coverage(counts: Tensor) -> Tensor:
    """Share of the catalogue that is recommended at least once; `counts` (n_items,) of recommendations."""
    return (counts > 0).double().mean()


def gini(counts: Tensor) -> Tensor:
    """Gini index of how often each item of the catalogue is recommended: 0 if all equally, 1 - 1/n if only one.

    Σᵢ (2i - n - 1) cᵢ / (n Σ c) with counts c in ascending order, i from 1 to n; NaN if nothing is recommended.

    Example:
        >>> gini(torch.tensor([0, 0, 0, 5]))
        tensor(0.7500, dtype=torch.float64)
    """
    ascending = counts.double().sort().values
    n = len(counts)
    weights = 2 * torch.arange(1, n + 1, device=counts.device).double() - n - 1
    return (weights * ascending).sum() / (n * ascending.sum())


def self_information(item_counts: Tensor, n_users: int) -> Tensor:
    """(n_items,) -log2 of the share of users who interacted with each item, in bits; at least one user is assumed."""
    return -(item_counts.clamp(min=1).float() / max(1, n_users)).log2()


def mean_of_listed(values: Tensor, listed: Tensor) -> Tensor:
    """Mean of `values[item]` over the items of each list `listed` (B, K), where -1 is no item; NaN without items."""
    present = listed >= 0
    return (values[listed.clamp(min=0)] * present).sum(dim=1) / present.sum(dim=1)
