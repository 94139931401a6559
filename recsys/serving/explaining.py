"""Explanations: the contributions of history items to the score of a recommended item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys.rankers.base import Explainable, Factorised
from recsys.schema import ConfigError, UserBatch
from recsys.serving.integrated_gradients import integrated_gradients
from recsys.serving.model import Served
from recsys.serving.ranking import Ranking, chunks
from recsys.serving.users import ServedUsers

EXACT, LEAVE_ONE_OUT, GRADIENTS = "exact sum", "leave-one-out", "integrated gradients"
AUTOMATIC = "auto"  # the exact sum if the score is a sum over history items, otherwise leave-one-out
METHODS = {"leave_one_out": LEAVE_ONE_OUT, "integrated_gradients": GRADIENTS}  # by value of explain_method
ENTRIES_AT_ONCE = 16_000_000  # array entries of histories that are computed at once


@dataclass(frozen=True)
class Reasons:
    """Contributions of history items to recommendations: n items for each of K recommendations of U users.

    Attributes:
        items: (U, K, n) items of the history, the largest contribution first; -1 if fewer contribute.
        parts: (U, K, n) contribution of each item to the score; 0 where `items` is -1.
        base: (U, K) share of the score that belongs to no history item, such as an item's bias; None for leave-one-out.
        method: `exact sum`: the score is the sum of all parts and the base. `leave-one-out`: a part is the decrease of
            the score without the item; parts do not add up to the score. `integrated gradients`: the score is the sum
            of all parts and the base, the score of a history of average items, up to the integral's error.
    """

    items: Tensor
    parts: Tensor
    base: Tensor | None
    method: str


def check_explains(served: Served, how: str = AUTOMATIC) -> None:
    """Raise an error for a model whose scores cannot be explained by history items.

    Raises:
        ConfigError: If the model reads no history, reads a text about the user, or lacks the gradients of `how`.
    """
    if served.model.user_prompt is not None:
        raise ConfigError(
            "n_reasons=… explains a score by the items of a history; this run has profile=text, which reads "
            "a text about the user as a whole. Use a run with profile=mean, attention, recurrent or transformer."
        )
    if not served.model.reads_history:
        ranker, profile = (served.run.cfg.choices[group] for group in ("ranker", "profile"))
        raise ConfigError(
            f"n_reasons=… explains a score by the items of a history; this run has ranker={ranker} "
            f"profile={profile}, "
            "which reads no history. Use "
            "a run with a profile of the history (profile=mean, attention, recurrent, transformer) or ranker=itemknn, "
            "ease or als."
        )
    if METHODS.get(how) == GRADIENTS and served.model.ranker.reads_history:
        raise ConfigError(
            f"explain_method={how} needs a profile with gradients by the vectors of the history's items, and "
            f"ranker={served.run.cfg.choices.ranker} has none. Use explain_method={AUTOMATIC}."
        )


@torch.no_grad()
def explain(served: Served, users: ServedUsers, ranking: Ranking, n: int, how: str = AUTOMATIC) -> Reasons:
    """The `n` items of each user's history that contribute most to each of the user's recommendations.

    Only the items that the model reads, the newest of a history, contribute.

    Args:
        served: The model and its catalogue.
        users: The users that get recommendations.
        ranking: Their recommended items.
        n: Number of history items for each recommendation.
        how: `auto`, or one of `METHODS`.

    Raises:
        ConfigError: If the model's scores cannot be explained so; see `check_explains`.
    """
    check_explains(served, how)
    method, top_k = method_of(served, how), ranking.items.shape[1]
    found = [
        _explain_chunk(served, users, rows, ranking.items[torch.from_numpy(rows)], n, method)
        for rows in _rows(served, users, top_k)
    ]
    if not found:
        found = [(torch.empty(0, top_k, n).long(), torch.empty(0, top_k, n), torch.empty(0, top_k))]
    items, parts, base = (torch.cat(each) for each in zip(*found, strict=True))
    return Reasons(items, parts, None if method == LEAVE_ONE_OUT else base, method)


def method_of(served: Served, how: str = AUTOMATIC) -> str:
    """The method that explains a model's scores: EXACT, LEAVE_ONE_OUT or GRADIENTS."""
    return (EXACT if _is_exact(served) else LEAVE_ONE_OUT) if how == AUTOMATIC else METHODS[how]


def contributions(served: Served, batch: UserBatch, items: Tensor, method: str) -> tuple[Tensor, Tensor]:
    """Contributions (B, L, N) of the histories (B, L) to the scores of `items` (B, N), and the base (B, N).

    An item that is in a history more than once has its whole contribution at its first position, and 0 at the others.
    """
    same = (batch.history.unsqueeze(2) == batch.history.unsqueeze(1)) & _pairs(batch.history_mask)
    first = batch.history_mask & ~(same.tril(-1).any(dim=2))
    if method == EXACT:
        parts, base = _exact(served, batch, items, same.sum(dim=2))
    elif method == GRADIENTS:
        parts, base = integrated_gradients(served, batch, items)
        parts = same.to(parts.dtype) @ parts
    else:
        parts, base = _without_each(served, batch, items, same), items.new_zeros(items.shape).float()
    return parts * first.unsqueeze(2), base


def _is_exact(served: Served) -> bool:
    ranker, profile = served.model.ranker, served.model.profile
    if ranker.reads_history:
        return profile is None and isinstance(ranker, Explainable)
    return profile is not None and profile.is_mean and isinstance(ranker, Factorised) and ranker.is_linear


def _exact(served: Served, batch: UserBatch, items: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    ranker, length = served.model.ranker, batch.history.shape[1]
    if isinstance(ranker, Explainable):
        weights = ranker.item_weights(batch.history, items)
        return weights, weights.new_zeros(items.shape)
    # The score is linear in the mean of the history, so it is the mean of the scores of one-item histories.
    none = UserBatch(batch.idx, batch.history[:, :0], batch.history_mask[:, :0])
    base = _scores(served, none, items)
    each = _expanded(batch, batch.history.unsqueeze(2), batch.history_mask.unsqueeze(2))
    alone = _scores(served, each, items.repeat_interleave(length, dim=0)).view(len(items), length, items.shape[1])
    share = counts / batch.history_mask.sum(dim=1, keepdim=True).clamp(min=1)
    return (alone - base.unsqueeze(1)) * share.unsqueeze(2), base


def _without_each(served: Served, batch: UserBatch, items: Tensor, same: Tensor) -> Tensor:
    n_users, length = batch.history.shape
    whole = _scores(served, batch, items)
    kept = batch.history_mask.unsqueeze(1) & ~same  # (B, which is left out, L)
    order = (~kept).byte().argsort(dim=2, stable=True)  # kept items first, in their order
    history = batch.history.unsqueeze(1).expand(-1, length, -1).gather(2, order)
    kept = kept.gather(2, order)
    left = _expanded(batch, history.masked_fill(~kept, 0), kept)
    without = _scores(served, left, items.repeat_interleave(length, dim=0)).view(n_users, length, items.shape[1])
    return whole.unsqueeze(1) - without


def _scores(served: Served, batch: UserBatch, items: Tensor) -> Tensor:
    return served.model.score_candidates(batch, items, served.item_vectors)


def _expanded(batch: UserBatch, history: Tensor, mask: Tensor) -> UserBatch:
    """Repeat each of B users L times, with the histories (B, L, M)."""
    return UserBatch(batch.idx.repeat_interleave(history.shape[1]), history.flatten(0, 1), mask.flatten(0, 1))


def _pairs(mask: Tensor) -> Tensor:
    return mask.unsqueeze(2) & mask.unsqueeze(1)


def _explain_chunk(
    served: Served, users: ServedUsers, rows: NDArray[np.int64], items: Tensor, n: int, method: str
) -> tuple[Tensor, Tensor, Tensor]:
    batch = users.batch(rows, served.max_history)
    parts, base = contributions(served, batch, items.clamp(min=0), method)
    parts = parts.transpose(1, 2).masked_fill(items.unsqueeze(2) < 0, 0.0)  # (B, K, L)
    most, places = parts.topk(min(n, parts.shape[2]), dim=2)
    named = batch.history.unsqueeze(1).expand(-1, items.shape[1], -1).gather(2, places).masked_fill(most <= 0, -1)
    padding = (0, n - most.shape[2])
    return (
        torch.nn.functional.pad(named, padding, value=-1),
        torch.nn.functional.pad(most.clamp(min=0), padding),
        base.masked_fill(items < 0, 0.0),
    )


def _rows(served: Served, users: ServedUsers, top_k: int) -> Iterator[NDArray[np.int64]]:
    """Chunks of users, each as large as memory allows."""
    longest = min(served.max_history, int(users.history.lengths.max(initial=1)))
    entries = longest * max(longest, top_k) * max(1, served.item_vectors.shape[1])
    size = max(1, ENTRIES_AT_ONCE // max(1, entries))
    for rows in chunks(served, len(users)):
        yield from np.array_split(rows, -(-len(rows) // size))
