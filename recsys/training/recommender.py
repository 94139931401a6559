"""The model: item features, profile and ranker as one module."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from recsys.features.item_features import ItemFeatures
from recsys.layers.lookup import take_rows
from recsys.profiles.base import Profile
from recsys.rankers.base import ItemSide, Ranker, UserSide
from recsys.schema import UserBatch, UserPrompt


class Recommender(nn.Module):
    """score(user, item) = ranker(profile(history of the user), features(item)).

    Args:
        features: Item vectors; None for a ranker that uses neither text nor the features' learnt IDs.
        profile: User vectors; None likewise.
        ranker: Compares both.
    """

    def __init__(self, features: ItemFeatures | None, profile: Profile | None, ranker: Ranker) -> None:
        super().__init__()
        self.features = features
        self.profile = profile
        self.ranker = ranker

    @property
    def reads_history(self) -> bool:
        """Whether the profile or the ranker reads histories."""
        return self.ranker.reads_history or (self.profile is not None and self.profile.reads_history)

    @property
    def reads_user(self) -> bool:
        """Whether the profile or the ranker reads who the user is."""
        return self.ranker.reads_user or (self.profile is not None and self.profile.reads_user)

    @property
    def user_prompt(self) -> UserPrompt | None:
        """How the texts about users are written that the profile reads; None if it reads none."""
        return None if self.profile is None else self.profile.prompt

    @property
    def knows_new_users(self) -> bool:
        """Whether what a user did or wrote changes the scores, so that those of an unknown one have a meaning."""
        return self.reads_history or self.user_prompt is not None

    def history_length(self, max_history: int) -> int:
        """The newest items of a history that the model is given: `max_history` bounds what a profile reads."""
        if self.ranker.reads_history:
            return sys.maxsize
        return max_history if self.reads_history else 0

    def parameter_groups(self) -> list[nn.Parameter] | list[dict[str, Any]]:
        """The parameters for an optimizer; in groups where fine-tuning gives some of them settings of their own."""
        special = [] if self.features is None else self.features.text.parameter_groups()
        if not special:
            return list(self.parameters())
        chosen = {id(parameter) for group in special for parameter in group["params"]}
        return [{"params": [parameter for parameter in self.parameters() if id(parameter) not in chosen]}, *special]

    def item_vectors(self, n_items: int) -> Tensor:
        """Vectors (n_items, dim) of the whole catalogue; (n_items, 0) where the ranker uses none."""
        device = next(iter([*self.parameters(), *self.buffers()]), torch.empty(0)).device
        if self.features is None:
            return torch.empty(n_items, 0, device=device)
        return self.features.catalogue()

    def user_side(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> UserSide:
        """Users with their profiles' vectors; `rows` (B, L) are their histories' rows in `item_vectors`."""
        if self.profile is None:
            return UserSide(users, item_vectors.new_empty(len(users.idx), 0))
        profile = self.profile if users.places is None else self.profile.at_places
        return UserSide(users, profile(users, item_vectors, rows))

    def score(self, users: UserBatch, items: Tensor) -> Tensor:
        """Scores (B, N) of each user's own items (B, N)."""
        if self.features is None:
            no_vectors = torch.empty(*items.shape, 0, device=items.device)
            return self.ranker.score(UserSide(users, no_vectors[:, 0]), ItemSide(items, no_vectors))
        table, (history, rows) = self.features.table(self._history(users), items)
        return self.ranker.score(self.user_side(users, table, history), ItemSide(items, table, rows))

    def score_with_shared(self, users: UserBatch, own: Tensor, shared: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B, N) of each user's own items (B, N), and (B, M) of the same M items for all users."""
        if self.features is None:
            side = UserSide(users, torch.empty(len(users.idx), 0, device=shared.device))
            no_vectors = torch.empty(len(shared), 0, device=shared.device)
            return self.score(users, own), self.ranker.score_catalogue(side, ItemSide(shared, no_vectors))
        table, (history, own_rows, shared_rows) = self.features.table(self._history(users), own, shared)
        side = self.user_side(users, table, history)
        return (
            self.ranker.score(side, ItemSide(own, table, own_rows)),
            self.ranker.score_catalogue(side, ItemSide(shared, take_rows(table, shared_rows))),
        )

    def score_catalogue(self, users: UserBatch, item_vectors: Tensor) -> Tensor:
        """Scores (B, n_items) of the whole catalogue, given its `item_vectors` (n_items, dim)."""
        idx = torch.arange(len(item_vectors), device=item_vectors.device)
        return self.ranker.score_catalogue(
            self.user_side(users, item_vectors, users.history), ItemSide(idx, item_vectors)
        )

    def score_candidates(self, users: UserBatch, items: Tensor, item_vectors: Tensor) -> Tensor:
        """Scores (B, C) of each user's own candidates `items` (B, C), given the catalogue's vectors."""
        side = self.user_side(users, item_vectors, users.history)
        return self.ranker.score(side, ItemSide(items, item_vectors, items))

    def _history(self, users: UserBatch) -> Tensor:
        return users.history if self.reads_history else users.history[:, :0]
