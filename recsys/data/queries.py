"""The queries of a stage: for each one a user, the user's known interactions, and the positives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.ragged import ItemLists
from recsys.data.splits.split import Split


@dataclass(frozen=True)
class Queries:
    """The queries of a stage.

    Attributes:
        users: (Q,) user of each query.
        rows: (Q,) the list of `history`, `positives`, `candidates` and `masked` that belongs to each query.
        history: The known items of each user, oldest first.
        positives: Relevant items: items of the catalogue, or, with `candidates`, positions in the query's list.
        candidates: The items to rank; None for the whole catalogue less `masked`.
        masked: Items that are not candidates, since the user had them before the stage; None with `candidates`.
    """

    users: NDArray[np.int64]
    rows: NDArray[np.int64]
    history: ItemLists
    positives: ItemLists
    candidates: ItemLists | None = None
    masked: ItemLists | None = None

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class Examples:
    """Training examples: user, positive, and the end of the history before it.

    Attributes:
        users: (T,) user of each example.
        positives: (T,) its item.
        history: The lists that histories are cut from.
        rows: (T,) the list of each example.
        before: (T,) the number of items in the list before the example.
        shown: By `rows`, the items that were shown and not clicked; None if the data does not log them.
    """

    users: NDArray[np.int64]
    positives: NDArray[np.int64]
    history: ItemLists
    rows: NDArray[np.int64]
    before: NDArray[np.int64]
    shown: ItemLists | None = None


def has_impressions(split: Split) -> bool:
    """Whether queries are impressions with candidates of their own, and not users with the whole catalogue."""
    return split.dataset.impressions is not None


def stage_queries(split: Split, stage: str) -> Queries:
    """The queries of `schema.VAL` or `schema.TEST`: one for each user with positives, or one for each impression."""
    if has_impressions(split):
        return _impression_queries(split, stage)
    targets = split.targets(stage)
    n_users = split.dataset.n_users
    positives = ItemLists.from_pairs(*_pairs(targets), n_users)
    users = np.flatnonzero(positives.lengths)
    return Queries(users, users, histories(split, stage), positives, masked=masked_items(split, stage))


def histories(split: Split, stage: str) -> ItemLists:
    """(n_users) lists of the items that each user is known to have when a stage is served, oldest first."""
    known = split.known(stage)
    order = known[schema.TIMESTAMP].to_numpy() if split.dataset.has_timestamps else None
    return ItemLists.from_pairs(*_pairs(known), split.dataset.n_users, order)


def masked_items(split: Split, stage: str) -> ItemLists:
    """(n_users) lists of the items that are not recommended to each user in a stage."""
    return ItemLists.from_pairs(*_pairs(split.masked(stage)), split.dataset.n_users)


def train_examples(split: Split) -> Examples:
    """One example for each train interaction, or for each click of a train impression."""
    if has_impressions(split):
        return _impression_examples(split)
    history = histories(split, schema.TRAIN)
    users = np.repeat(np.arange(len(history)), history.lengths)
    before = np.arange(len(users)) - np.repeat(history.offsets[:-1], history.lengths)
    return Examples(users, history.values.astype(np.int64), history, users, before)


def _pairs(frame: pl.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    return frame[schema.USER].to_numpy(), frame[schema.ITEM].to_numpy()


def _impressions(split: Split, stage: str) -> pl.DataFrame:
    assert split.dataset.impressions is not None
    return split.dataset.impressions.filter(pl.col(schema.PART) == stage)


def _impression_queries(split: Split, stage: str) -> Queries:
    shown = _impressions(split, stage)
    shown = shown.filter(pl.col(schema.CLICKED).list.any() & ~pl.col(schema.CLICKED).list.all())
    candidates = _lists(shown[schema.CANDIDATES])
    query, column = _clicked_places(shown)
    users = shown[schema.USER].to_numpy().astype(np.int64)
    positives = ItemLists.from_pairs(query, column, len(users))
    return Queries(users, np.arange(len(users)), _lists(shown[schema.HISTORY]), positives, candidates)


def _impression_examples(split: Split) -> Examples:
    shown = _impressions(split, schema.TRAIN)
    candidates, history = _lists(shown[schema.CANDIDATES]), _lists(shown[schema.HISTORY])
    rows, _ = _clicked_places(shown)
    clicked = shown[schema.CLICKED].explode(empty_as_null=False).to_numpy().astype(bool)
    owner = np.repeat(np.arange(len(candidates)), candidates.lengths)
    not_clicked = ItemLists.from_pairs(owner[~clicked], candidates.values[~clicked], len(candidates))
    users = shown[schema.USER].to_numpy().astype(np.int64)[rows]
    positives = candidates.values[clicked].astype(np.int64)
    return Examples(users, positives, history, rows, history.lengths[rows], not_clicked)


def _clicked_places(shown: pl.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """(impression, position in its candidates) of each click."""
    clicked = shown[schema.CLICKED]
    lengths = clicked.list.len().to_numpy().astype(np.int64)
    place = np.flatnonzero(clicked.explode(empty_as_null=False).to_numpy().astype(bool))
    row = np.repeat(np.arange(len(lengths)), lengths)[place]
    return row, place - (np.cumsum(lengths) - lengths)[row]


def _lists(column: pl.Series) -> ItemLists:
    offsets = np.zeros(len(column) + 1, dtype=np.int64)
    np.cumsum(column.list.len().to_numpy(), out=offsets[1:])
    return ItemLists(offsets, column.explode(empty_as_null=False).to_numpy().astype(np.int32))
