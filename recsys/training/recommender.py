"""The model: item features, profile and ranker as one module."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from recsys.features.item_features import ItemFeatures
from recsys.layers.lookup import take_rows
from recsys.profiles.base import Profile
from recsys.rankers.base import OwnItems, Ranker, SequenceReader, SharedItems, UserSide
from recsys.schema import UserBatch, UserPrompt
from recsys.training.shape_checks import check_shape


class Recommender(nn.Module):
    """score(user, item) = ranker(profile(history of the user), features(item)).

    Scores are computed in three steps: `features` computes a table of item vectors, `profile` computes user vectors
    from the rows of the histories' items in it, and `ranker` scores users and items. In training (`score`) the table
    has the items of the batch; in evaluation (`score_catalogue` and `score_candidates`) it has the whole catalogue and
    is computed once for all batches.

    Args:
        features: Item vectors; None for a ranker that uses neither text nor the features' learnt IDs.
        profile: User vectors; None for a ranker that uses none.
        ranker: Scores of users and items.
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
        """Whether the profile or the ranker reads the user's index."""
        return self.ranker.reads_user or (self.profile is not None and self.profile.reads_user)

    @property
    def user_prompt(self) -> UserPrompt | None:
        """How the texts about users are written that the profile reads; None if it reads none."""
        return None if self.profile is None else self.profile.prompt

    @property
    def knows_new_users(self) -> bool:
        """Whether scores depend on the user's history or text, so that users without train interactions are scored."""
        return self.reads_history or self.user_prompt is not None

    def history_length(self, max_history: int) -> int:
        """Number of newest history items that the model gets: `max_history`, all if the ranker reads all, 0 if none."""
        if self.ranker.reads_history and not isinstance(self.ranker, SequenceReader):
            return sys.maxsize
        return max_history if self.reads_history else 0

    def parameter_groups(self) -> list[nn.Parameter] | list[dict[str, Any]]:
        """The parameters for an optimizer; in groups if fine-tuning has settings of its own for some of them."""
        special = [] if self.features is None else self.features.text.parameter_groups()
        if not special:
            return list(self.parameters())
        chosen = {id(parameter) for group in special for parameter in group["params"]}
        return [{"params": [parameter for parameter in self.parameters() if id(parameter) not in chosen]}, *special]

    def item_vectors(self, n_items: int) -> Tensor:
        """Vectors (n_items, dim) of the whole catalogue; (n_items, 0) if the ranker uses none."""
        device = next(iter([*self.parameters(), *self.buffers()]), torch.empty(0)).device
        if self.features is None:
            return torch.empty(n_items, 0, device=device)
        return self.features.catalogue()

    def user_side(self, users: UserBatch, table: Tensor, rows: Tensor) -> UserSide:
        """Users with the vectors of their profiles.

        Args:
            users: Users B.
            table: (n, dim) item vectors.
            rows: (B, L) the row of `table` of each item of the histories.
        """
        if self.profile is None:
            return UserSide(users, table.new_empty(len(users.idx), 0))
        is_single = users.positions is None
        vectors = (self.profile if is_single else self.profile.at_positions)(users, table, rows)
        method = "forward" if is_single else "at_positions"
        check_shape(self.profile, method, vectors, "(B, dim)", (users.idx.shape[0], None))
        return UserSide(users, vectors)

    def score(self, users: UserBatch, own: Tensor, shared: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scores for training: (B, N) of each user's own items (B, N), and (B, M) of items (M,) shared by all users.

        Vectors are computed once for each distinct item of the batch, with gradients. M is 0 without shared items.
        """
        no_items = own.new_empty(0)
        table, (history, own_rows, shared_rows) = self._table(users, own, no_items if shared is None else shared)
        side = self.user_side(users, table, history)
        own_scores = self._own_scores(side, OwnItems(own, table, own_rows))
        if shared is None:
            return own_scores, own_scores.new_empty(len(own), 0)
        return own_scores, self._shared_scores(side, SharedItems(shared, take_rows(table, shared_rows)))

    def score_catalogue(self, users: UserBatch, item_vectors: Tensor) -> Tensor:
        """Scores (B, n_items) of the whole catalogue, given its `item_vectors` (n_items, dim)."""
        side = self.user_side(users, item_vectors, users.history)
        idx = torch.arange(len(item_vectors), device=item_vectors.device)
        return self._shared_scores(side, SharedItems(idx, item_vectors))

    def score_candidates(self, users: UserBatch, items: Tensor, item_vectors: Tensor) -> Tensor:
        """Scores (B, C) of each user's own candidates `items` (B, C), given the catalogue's vectors."""
        side = self.user_side(users, item_vectors, users.history)
        return self._own_scores(side, OwnItems(items, item_vectors, items))

    def _own_scores(self, side: UserSide, items: OwnItems) -> Tensor:
        scores = self.ranker.score(side, items)
        check_shape(self.ranker, "score", scores, "(B, N)", items.idx.shape)
        return scores

    def _shared_scores(self, side: UserSide, items: SharedItems) -> Tensor:
        scores = self.ranker.score_catalogue(side, items)
        check_shape(self.ranker, "score_catalogue", scores, "(B, I)", (side.batch.idx.shape[0], items.idx.shape[0]))
        return scores

    def _table(self, users: UserBatch, own: Tensor, shared: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Vectors of the distinct items of the batch, and the rows in them of the histories, `own` and `shared`."""
        history = users.history if self.reads_history else users.history[:, :0]
        indices = [history, own, shared]
        if self.features is not None:
            return self.features.table(*indices)
        # No item has a vector: a table of no columns, with a row for each entry.
        rows = torch.arange(sum(idx.numel() for idx in indices), device=own.device)
        parts = rows.split([idx.numel() for idx in indices])
        no_vectors = torch.empty(len(rows), 0, device=own.device)
        return no_vectors, [part.view(idx.shape) for part, idx in zip(parts, indices, strict=True)]
