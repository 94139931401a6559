"""Check that an exported user tower gives the model's own scores and lists."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from recsys.schema import RecsysError, UserBatch
from recsys.serving.model import Served
from recsys.serving.tower import Tower, inputs_of
from recsys.serving.users import ServedUsers, known_users

N_USERS = 200
SIZES = (1, 2, 29, 64)  # sizes of the first batches; the last batch has the remaining users
TOP_K = 10
TOLERANCE = 1e-4  # relative to the largest score: float32 sums in another order may differ so much


@torch.no_grad()
def check_tower(tower: Tower, served: Served, item_vectors: Tensor, name: str, length: int | None = None) -> int:
    """Compare a tower with the model on users of the data, with several sizes of batches and histories.

    All scores are compared, and the best `TOP_K` items of each user; only items with scores that are equal within the
    tolerance may be in another order.

    Args:
        tower: The exported tower, reopened from its file.
        served: The model.
        item_vectors: (n_items, d) exported vectors of the items.
        name: File name of the tower, for messages.
        length: The only length of histories that it accepts; None for any.

    Returns:
        The number of compared lists.

    Raises:
        RecsysError: If scores or lists differ.
    """
    n_lists = 0
    for users in _batches(served, known_users(served)):
        expected = served.model.score_catalogue(users, served.item_vectors)[:, : served.n_items]
        found = tower(inputs_of(served.model, users, length or 1)) @ item_vectors.T
        _compare(found, expected, name)
        n_lists += len(found)
    return n_lists


def _compare(found: Tensor, expected: Tensor, name: str) -> None:
    allowed = TOLERANCE * expected.abs().amax(dim=1, keepdim=True)
    difference = (found - expected).abs()
    if not bool((difference <= allowed).all()):  # also true for NaN
        raise RecsysError(
            f"{name} is not written: its scores differ from the model's by up to {float(difference.max()):.3g}; the "
            f"model's largest score is {float(expected.abs().max()):.3g}."
        )
    best = expected.topk(min(TOP_K, expected.shape[1]), dim=1)
    places = found.topk(best.values.shape[1], dim=1).indices
    others = (places != best.indices) & ((expected.gather(1, places) - best.values).abs() > allowed)
    if bool(others.any()):
        raise RecsysError(f"{name} is not written: its best {TOP_K} items are not the model's.")


def _batches(served: Served, users: ServedUsers) -> Iterator[UserBatch]:
    """Users of the data with histories of several lengths; the last batch again as new users, and without histories."""
    rows = np.unique(np.linspace(0, len(users) - 1, min(N_USERS, len(users))).astype(np.int64))
    longest = served.max_history
    lengths = (longest, 1, -(-longest // 2), longest, longest) if longest else (0,) * 5
    for chosen, length in zip(np.split(rows, np.cumsum(SIZES)), lengths, strict=True):
        if len(chosen):
            yield (batch := users.batch(chosen, length))
    unknown = torch.full_like(batch.idx, -1)
    yield UserBatch(unknown, batch.history, batch.history_mask)
    yield UserBatch(batch.idx, batch.history, torch.zeros_like(batch.history_mask))
