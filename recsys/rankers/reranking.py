"""Candidates of a retriever, and scores that rank them above all other items in the retriever's order."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor

from recsys.rankers.base import Ranker
from recsys.schema import ConfigError, ModelContext, UserBatch

FLOOR = -1000.0  # lower bound of reranked scores; a mean log-likelihood of tokens is higher


def made_retriever(make: Callable[[ModelContext], Ranker], context: ModelContext) -> Ranker:
    """The retriever of a ranker.

    Raises:
        ConfigError: If a value is impossible; the message names the key below `ranker.retriever`.
    """
    try:
        return make(context)
    except ConfigError as error:
        raise ConfigError(re.sub(r"\branker\.", "ranker.retriever.", str(error))) from error


def best_unseen(scores: Tensor, users: UserBatch, n: int) -> tuple[Tensor, Tensor]:
    """The `n` best items (B, N) of a catalogue's scores (B, I) that are not in the history, and a mask of valid ones.

    Items that share the score of the first item left out are omitted too, since the retriever does not order them.
    """
    rows, places = users.history_mask.nonzero(as_tuple=True)
    unseen = scores.index_put((rows, users.history[rows, places]), scores.new_tensor(-torch.inf))
    if unseen.shape[1] <= n:
        return torch.arange(unseen.shape[1], device=scores.device).expand_as(unseen), unseen > -torch.inf
    values, items = unseen.topk(n + 1)
    return items[:, :n], values[:, :n] > values[:, n:]


def in_retrievers_order(scores: Tensor) -> Tensor:
    """(B, I) numbers below `FLOOR` in the order of `scores` (B, I), with the same ties; −∞ stays −∞.

    For up to 16 million items.
    """
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    ranks = (ordered[:, 1:] != ordered[:, :-1]).cumsum(dim=1)
    ranks = torch.cat([ranks.new_zeros(len(ranks), 1), ranks], dim=1)
    ranked = FLOOR - 1 - torch.empty_like(scores).scatter_(1, order, ranks.to(scores.dtype))
    return ranked.masked_fill(scores == -torch.inf, -torch.inf)
