"""A run's model with the items that it can recommend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys import schema
from recsys.data.dataset import titles
from recsys.data.queries import has_impressions, histories, masked_items, stage_queries
from recsys.data.ragged import ItemLists
from recsys.data.splits.split import Split
from recsys.experiment.finished import Run
from recsys.training.encoded_user_texts import UserTexts
from recsys.training.recommender import Recommender

SERVED = "served"


@dataclass(frozen=True)
class Served:
    """A model with its items.

    Attributes:
        run: The run of the model.
        model: The model, in evaluation mode.
        items: Row i is item i of the model: first the items that can be recommended, then users' texts.
        text_vectors: (items.height, text_dim) vectors of their texts.
        n_items: Number of items that can be recommended.
        tie_numbers: (n_users,) numbers that seed the order of equal scores of each user; None for the users' indices.
    """

    run: Run
    model: Recommender
    items: pl.DataFrame
    text_vectors: NDArray[np.float32]
    n_items: int
    tie_numbers: NDArray[np.int64] | None = None

    @cached_property
    def item_vectors(self) -> Tensor:
        """(items.height, dim) vectors of all items, computed once."""
        with torch.no_grad():
            return self.model.item_vectors(self.items.height)

    @cached_property
    def known(self) -> ItemLists:
        """Known items of each user of the data in the test, oldest first."""
        return histories(self.run.split, schema.TEST)

    @cached_property
    def masked(self) -> ItemLists:
        """The items that are not recommended to each user of the data, as in the test."""
        return masked_items(self.run.split, schema.TEST)

    @cached_property
    def titles(self) -> pl.Series:
        """Names of the items: their titles if the data has titles, otherwise their texts."""
        return titles(self.items)

    @cached_property
    def user_texts(self) -> UserTexts | None:
        """Texts about users, for a profile that reads them."""
        from recsys.experiment.inputs import user_texts

        return user_texts(self.run.cfg, self.run.split, self.model.user_prompt)

    @cached_property
    def known_texts(self) -> Tensor | None:
        """(n_users, text_dim) vectors of the texts about the data's users in the test; None if the model reads none."""
        return None if self.user_texts is None else self.user_texts.known_users()

    @property
    def tie_seed(self) -> int:
        """The seed of the order of equal scores, as in the test."""
        return int(self.run.cfg.metrics.get("seed", 0))

    @property
    def max_history(self) -> int:
        """Number of the newest items of a history that the model reads; 0 if it reads none."""
        return self.model.history_length(self.run.cfg.batches.max_history)


def serve(run: Run) -> Served:
    """A run's model with the catalogue that it was trained on; loaded once for each run."""
    from recsys.experiment.inputs import text_features

    if SERVED not in run.kept:
        items = run.split.dataset.items
        vectors = text_features(run.cfg, run.split).vectors
        run.kept[SERVED] = Served(run, run.model, items, vectors, items.height, tie_numbers(run.split))
    found = run.kept[SERVED]
    assert isinstance(found, Served)
    return found


def tie_numbers(split: Split) -> NDArray[np.int64]:
    """(n_users,) numbers that seed the order of a user's equal scores: those of the users' queries in the test.

    So a recommended list is the list that the test ranked. Users who are not tested have the numbers after these.
    """
    users = np.arange(split.dataset.n_users)
    queries = users if has_impressions(split) else stage_queries(split, schema.TEST).users
    return np.argsort(np.append(queries, np.setdiff1d(users, queries)))
