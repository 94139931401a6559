"""A data set's rows with raw ids, in their order, since indices follow a hash of the ids."""

from __future__ import annotations

from recsys.data.dataset import Dataset


def named_rows(data: Dataset, *columns: str) -> list[tuple]:
    """(user_id, item_id, *columns) of each interaction, sorted."""
    users = data.users["user_id"].gather(data.interactions["user"])
    items = data.items["item_id"].gather(data.interactions["item"])
    return sorted(zip(users, items, *(data.interactions[column] for column in columns), strict=True))
