"""The best items for many users, computed in chunks of users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.metrics.topk import rank_items
from recsys.serving.model import Served
from recsys.serving.users import ServedUsers


@dataclass(frozen=True)
class Ranking:
    """The best K items of U users, best first.

    Attributes:
        items: (U, K) indices of items; -1 if a user has fewer than K candidates.
        scores: (U, K) scores of the model; -∞ where `items` is -1.
    """

    items: Tensor
    scores: Tensor


@torch.no_grad()
def rank(served: Served, users: ServedUsers, top_k: int, allowed: NDArray[np.bool_] | None = None) -> Ranking:
    """The `top_k` best items of each user, without known items.

    The run's `batches.max_scores` bounds the number of scores in memory. Equal scores are ordered by a seeded hash that
    differs between users.

    Args:
        served: The model and its catalogue.
        users: The users that get recommendations.
        top_k: Number of items for each user.
        allowed: (n_items,) whether an item can be recommended; None for all items.
    """
    found = [_rank_chunk(served, users, rows, top_k, allowed) for rows in chunks(served, len(users))]
    items, scores = zip(*found, strict=True) if found else ([torch.empty(0, top_k).long()], [torch.empty(0, top_k)])
    return Ranking(torch.cat(list(items)), torch.cat(list(scores)))


def chunks(served: Served, n_users: int) -> Iterator[NDArray[np.int64]]:
    """Chunks of users, as indices, whose scores of all items fit into the bound of memory."""
    size = max(1, served.run.cfg.batches.max_scores // max(1, served.items.height))
    for start in range(0, n_users, size):
        yield np.arange(start, min(start + size, n_users))


def _rank_chunk(
    served: Served, users: ServedUsers, rows: NDArray[np.int64], top_k: int, allowed: NDArray[np.bool_] | None
) -> tuple[Tensor, Tensor]:
    batch = users.batch(rows, served.max_history)
    scores = served.model.score_catalogue(batch, served.item_vectors).clone()  # some rankers return a view
    seen, items = torch.from_numpy(users.not_recommended.pairs(rows))
    scores[seen, items] = -torch.inf
    scores[:, served.n_items :] = -torch.inf
    if allowed is not None:
        scores[:, torch.from_numpy(~allowed)] = -torch.inf
    numbers = users.idx[rows]
    if served.tie_numbers is not None:
        numbers = np.where(numbers < 0, numbers, served.tie_numbers[numbers])
    best = rank_items(scores, top_k, torch.from_numpy(numbers), served.tie_seed)
    chosen = scores.gather(1, best.clamp(min=0))
    return best, chosen.masked_fill(best < 0, -torch.inf)
