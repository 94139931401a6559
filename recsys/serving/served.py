"""What is asked: a run's model, and all that it can recommend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl
import torch
from torch import Tensor

from recsys import schema
from recsys.runs import Run
from recsys.training.recommender import Recommender

TITLE = "title"


@dataclass(frozen=True)
class Served:
    """A model with its items.

    Attributes:
        run: The run that the model is of.
        model: In evaluation mode.
        items: Row i is item i of the model.
    """

    run: Run
    model: Recommender
    items: pl.DataFrame

    @cached_property
    def item_vectors(self) -> Tensor:
        """Vectors (n_items, dim) of all items, computed once."""
        with torch.no_grad():
            return self.model.item_vectors(self.items.height)

    @cached_property
    def titles(self) -> pl.Series:
        """What an item is called: its title where the data has titles, else its text."""
        has_titles = self.items.schema.get(TITLE) == pl.String
        return self.items[TITLE if has_titles else schema.TEXT].alias(TITLE)

    @property
    def max_history(self) -> int:
        """How many of the newest items of a history the model reads; 0 if it reads none."""
        return self.run.cfg.batches.max_history if self.model.reads_history else 0


def serve(run: Run) -> Served:
    """A run's model with the catalogue that it was made on."""
    return Served(run, run.model, run.split.dataset.items)
