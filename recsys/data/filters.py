"""Rating and k-core filters; dropped interactions are counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.schema import ConfigError

WITHOUT_VECTOR, INTERACTIONS_WITHOUT_VECTOR = "items_without_vector", "interactions_without_vector"  # kinds of dropped


def filter_interactions(
    dataset: Dataset, min_rating: float | None, user_k_core: int | None, item_k_core: int | None
) -> tuple[Dataset, dict[str, int]]:
    """The filtered data set, and the number of interactions that each filter dropped.

    Interactions with a value below `min_rating` move to `low_rated`: they are not positives, but their users know these
    items. The k-core is the largest part of the data in which every user has at least `user_k_core` and every item at
    least `item_k_core` interactions. Users and items that it drops leave the data set, and indices are renumbered.
    Items without interactions stay in the catalogue unless `item_k_core` is set, users unless `user_k_core` is.
    """
    filtered, dropped = dataset, {}
    if min_rating is not None:
        filtered = rated_at_least(dataset, min_rating)
        dropped["min_rating"] = dataset.interactions.height - filtered.interactions.height
    if user_k_core is None and item_k_core is None:
        return filtered, dropped
    interactions = filtered.interactions
    users, items = interactions[schema.USER].to_numpy(), interactions[schema.ITEM].to_numpy()
    kept_rows = _k_core(users, items, (dataset.n_users, dataset.n_items), (user_k_core or 0, item_k_core or 0))
    dropped["k_core"] = int((~kept_rows).sum())
    core = replace(filtered, interactions=interactions.filter(pl.Series(kept_rows)))
    result = reindexed(core, user_k_core is not None, item_k_core is not None)
    dropped |= {"k_core_users": dataset.n_users - result.n_users, "k_core_items": dataset.n_items - result.n_items}
    return result, dropped


def rated_at_least(dataset: Dataset, min_rating: float) -> Dataset:
    """The data set with the interactions below `min_rating` moved to `low_rated`."""
    is_kept = pl.col(schema.VALUE) >= min_rating
    low_rated = dataset.interactions.filter(~is_kept)
    if dataset.low_rated is not None:
        low_rated = pl.concat([dataset.low_rated, low_rated])
    return replace(dataset, interactions=dataset.interactions.filter(is_kept), low_rated=low_rated, fingerprint="")


def _k_core(
    users: NDArray[Any], items: NDArray[Any], sizes: tuple[int, int], least: tuple[int, int]
) -> NDArray[np.bool_]:
    """(n,) whether each interaction is in the core of `least` interactions per user and item (Seidman 1983)."""
    kept = np.ones(len(users), dtype=bool)
    while True:
        enough = kept.copy()
        for side, n, k in zip((users, items), sizes, least, strict=True):
            enough &= np.bincount(side[kept], minlength=n)[side] >= k
        if enough.sum() == kept.sum():
            return kept
        kept = enough


def reindexed(dataset: Dataset, drop_users: bool, drop_items: bool) -> Dataset:
    """The data set without users or items that have no interactions, renumbered."""
    interactions, low_rated, tables = dataset.interactions, dataset.low_rated, {}
    for column, table, drop in ((schema.USER, dataset.users, drop_users), (schema.ITEM, dataset.items, drop_items)):
        used = np.ones(table.height, dtype=bool)
        if drop:
            used = np.bincount(interactions[column].to_numpy(), minlength=table.height) > 0
        new_index = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
        interactions = _renumbered(interactions, column, new_index)
        low_rated = None if low_rated is None else _renumbered(low_rated, column, new_index)
        tables[column] = table.filter(pl.Series(used))
    filtered = replace(dataset, interactions=interactions, low_rated=low_rated)
    return replace(filtered, users=tables[schema.USER], items=tables[schema.ITEM], fingerprint="")


def with_items_kept(dataset: Dataset, kept: NDArray[np.bool_]) -> Dataset:
    """The data set without some items and their interactions, renumbered; `dropped` counts both.

    Args:
        dataset: Without impressions.
        kept: (n_items,) False for an item that is dropped.

    Raises:
        ConfigError: If the data has impressions, whose candidates cannot be dropped.
    """
    if dataset.impressions is not None:
        raise ConfigError("items cannot be dropped from data with impressions: set encoder.missing=mean or error.")
    left = without_items(dataset, ~kept)
    counts = {
        WITHOUT_VECTOR: int((~kept).sum()),
        INTERACTIONS_WITHOUT_VECTOR: dataset.interactions.height - left.interactions.height,
    }
    return replace(left, dropped={**dataset.dropped, **counts})


def without_items(dataset: Dataset, gone: NDArray[np.bool_]) -> Dataset:
    """The data set without the items (n_items,) `gone` and their interactions, renumbered."""
    new_index = np.where(gone, -1, np.cumsum(~gone) - 1).astype(np.int32)
    interactions = _renumbered(dataset.interactions, schema.ITEM, new_index)
    low_rated = None if dataset.low_rated is None else _renumbered(dataset.low_rated, schema.ITEM, new_index)
    items = dataset.items.filter(pl.Series(~gone))
    return replace(dataset, interactions=interactions, low_rated=low_rated, items=items, fingerprint="")


def _renumbered(frame: pl.DataFrame, column: str, new_index: NDArray[np.int32]) -> pl.DataFrame:
    """The rows with their new indices in `column`, without rows whose new index is -1."""
    renumbered = frame.with_columns(pl.Series(column, new_index[frame[column].to_numpy()]))
    return renumbered.filter(pl.col(column) >= 0)
