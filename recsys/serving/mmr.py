"""Diverse lists by maximal marginal relevance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recsys.schema import ConfigError
from recsys.serving.model import Served
from recsys.serving.ranking import Ranking

ENTRIES_AT_ONCE = 16_000_000  # entries of vectors in memory at once


def diverse(served: Served, pool: Ranking, top_k: int, mmr: float) -> Ranking:
    """`top_k` of each user's `pool`, chosen one after the other by maximal marginal relevance.

    The next item has the largest (1 − mmr)·relevance − mmr·(largest cosine with an item that was chosen before).
    Relevance is the score, scaled to 0…1 within the user's pool; the cosine is that of the items' vectors. Carbonell
    and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries", SIGIR
    1998, with λ = 1 − mmr.

    Args:
        served: The model, which has the items' vectors.
        pool: The best items of each user, best first.
        top_k: Length of a list.
        mmr: 0 ranks by score; 1 ranks by diversity only, after the first item.

    Raises:
        ConfigError: If the items have no vectors.
    """
    if mmr == 0:
        return Ranking(pool.items[:, :top_k], pool.scores[:, :top_k])
    vectors = normalize(_vectors(served), dim=1)
    at_once = max(1, ENTRIES_AT_ONCE // max(1, pool.items.shape[1] * vectors.shape[1]))
    places = [
        _chosen(vectors, items, scores, top_k, mmr)
        for items, scores in zip(pool.items.split(at_once), pool.scores.split(at_once), strict=True)
    ]
    order = torch.cat(places)
    return Ranking(pool.items.gather(1, order), pool.scores.gather(1, order))


def check_mmr(served: Served, mmr: float) -> None:
    """Raise an error if the items have no vectors for a similarity.

    Raises:
        ConfigError: If the items have no vectors.
    """
    if mmr > 0:
        _vectors(served)


def _vectors(served: Served) -> Tensor:
    if served.item_vectors.shape[1]:
        return served.item_vectors
    if served.text_vectors.shape[1]:
        return torch.from_numpy(served.text_vectors)
    ranker, encoder = (served.run.cfg.choices[group] for group in ("ranker", "encoder"))
    raise ConfigError(
        f"mmr=… compares the vectors of items, and those of ranker={ranker} encoder={encoder} have none. Use a run "
        "with ranker=dot, cf or mlp, or one with an encoder."
    )


@torch.no_grad()
def _chosen(vectors: Tensor, items: Tensor, scores: Tensor, top_k: int, mmr: float) -> Tensor:
    """Positions (B, top_k) in the pool (B, P); entries without an item come last."""
    real = items >= 0
    relevance = _scaled(scores, real)
    candidates = vectors[items.clamp(min=0)]
    alike = torch.zeros_like(relevance)  # cosine with the most similar chosen item
    left, rows, places = real.clone(), torch.arange(len(items)), []
    for step in range(min(top_k, items.shape[1])):
        value = (1 - mmr) * relevance - mmr * alike
        # Among equal values the first is the best by score; entries without an item are taken last.
        value = torch.where(left, value, torch.where(real, -torch.inf, torch.finfo(value.dtype).min))
        place = (value == value.amax(dim=1, keepdim=True)).byte().argmax(dim=1)
        cosine = torch.einsum("bpd,bd->bp", candidates, candidates[rows, place])
        alike = cosine if step == 0 else torch.maximum(alike, cosine)
        left[rows, place] = False
        places.append(place)
    return torch.stack(places, dim=1)


def _scaled(scores: Tensor, real: Tensor) -> Tensor:
    lowest = scores.masked_fill(~real, torch.inf).amin(dim=1, keepdim=True)
    span = scores.amax(dim=1, keepdim=True) - lowest
    return torch.where(real & (span > 0), (scores - lowest) / span, 0.0)
