"""Integrated gradients: contributions of history items to a score."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recsys.layers.lookup import take_rows
from recsys.rankers.base import OwnItems
from recsys.schema import ConfigError, UserBatch
from recsys.serving.model import Served

STEPS = (32, 128, 512)  # numbers of points of the integral, tried until the error is within TOLERANCE
TOLERANCE = 0.01  # allowed error of the sum of the parts, relative to it or to a tenth of the largest score


def integrated_gradients(served: Served, batch: UserBatch, items: Tensor) -> tuple[Tensor, Tensor]:
    """Contributions (B, L, N) of the histories (B, L) to the scores of `items` (B, N), and the base (B, N).

    A part is (x − b)·∫₀¹ ∇score(b + α(x − b)) dα, with x the vector of the history's item and b the baseline vector,
    the mean of the catalogue's vectors. All positions move from b to x together. The base is the score of a history of
    baseline vectors. Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", ICML 2017; by their axiom
    of completeness, parts and base add up to the score. The integral is computed by Gauss-Legendre quadrature.

    Raises:
        ConfigError: If parts and base do not add up to the score within TOLERANCE, since it is not smooth enough.
    """
    n_items = items.shape[1]
    single = _repeated(batch, n_items)  # B·N users with one item each, so that gradients are not mixed
    chosen, vectors = items.reshape(-1, 1), take_rows(served.item_vectors, single.history)
    blank = blank_vector(served).expand_as(vectors)
    with torch.no_grad():
        whole, base = (_scores(served, single, chosen, each) for each in (vectors, blank))
    shared = whole - base
    for n_steps in STEPS:
        parts = _integral(served, single, chosen, (blank, vectors), n_steps)
        gap = (parts.sum(dim=1) - shared).abs()
        if bool((gap <= TOLERANCE * shared.abs().clamp(min=0.1 * float(whole.abs().max()))).all()):
            shape = len(items), n_items, batch.history.shape[1]
            return parts.view(shape).transpose(1, 2), base.view(shape[:2])
    raise ConfigError(
        f"explain_method=integrated_gradients: with {STEPS[-1]} steps the parts miss a score by "
        f"{float(gap.max()):.3g}, since the score is not smooth enough between an average "
        "history and the user's. Use explain_method=leave_one_out."
    )


def blank_vector(served: Served) -> Tensor:
    """The baseline: the mean (dim,) of the vectors of the run's items."""
    return served.item_vectors[: served.run.split.dataset.n_items].mean(dim=0)


def _integral(served: Served, users: UserBatch, items: Tensor, ends: tuple[Tensor, Tensor], n_steps: int) -> Tensor:
    """Parts (B, L) of the score of each user's one item, integrated between the two ends (B, L, dim)."""
    start, way = ends[0], ends[1] - ends[0]
    total = torch.zeros_like(way, dtype=torch.float64)
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        vectors = (start + point * way).requires_grad_()
        with torch.enable_grad():
            score = _scores(served, users, items, vectors).sum()
        total += weight * torch.autograd.grad(score, vectors, materialize_grads=True)[0]
    return (way * total).sum(dim=2).float()


def _scores(served: Served, users: UserBatch, items: Tensor, vectors: Tensor) -> Tensor:
    """Scores (B,) of each user's one item (B, 1), for histories with these vectors (B, L, dim)."""
    rows = torch.arange(users.history.numel()).view(users.history.shape)
    side = served.model.user_side(users, vectors.flatten(0, 1), rows)
    return served.model.ranker.score(side, OwnItems(items, served.item_vectors, items)).squeeze(1)


def _repeated(batch: UserBatch, n: int) -> UserBatch:
    idx, history, mask = (each.repeat_interleave(n, dim=0) for each in (batch.idx, batch.history, batch.history_mask))
    return UserBatch(idx, history, mask)
