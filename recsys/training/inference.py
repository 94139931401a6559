"""Recommending for one user with a model that is at hand."""

from __future__ import annotations

import torch

from recsys import schema
from recsys.data.queries import histories
from recsys.data.splits.base import Split
from recsys.schema import UserBatch
from recsys.training.batches import TensorLists
from recsys.training.recommender import Recommender


@torch.inference_mode()
def recommend(
    model: Recommender, split: Split, user: int, top_k: int, max_history: int
) -> tuple[list[int], list[float]]:
    """The `top_k` best items (indices) that the user is not known to have, with their scores, best first."""
    known = histories(split, schema.TEST)
    length = model.history_length(max_history)
    history, mask = TensorLists(known).newest(torch.tensor([user]), None, length)
    users = UserBatch(torch.tensor([user]), history, mask)
    scores = model.score_catalogue(users, model.item_vectors(split.dataset.n_items)).squeeze(0).clone()
    scores[torch.from_numpy(known[user].astype("int64"))] = -torch.inf
    n_unseen = split.dataset.n_items - len(known[user])
    best = scores.topk(min(top_k, n_unseen))
    return best.indices.tolist(), best.values.tolist()
