"""The only place where raw ids become indices 0…n-1; repeated (user, item) pairs become one."""

from __future__ import annotations

import polars as pl

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.id_hashes import hash_order

REPEATED = "repeated (user, item) pairs"
IDLE_USERS = "users without interactions"
_PARTS = [schema.TRAIN, schema.VAL, schema.TEST]
_FIRST_COLUMNS = [schema.ITEM_ID, schema.TEXT, schema.CATEGORIES]


def index(
    name: str,
    interactions: pl.DataFrame,
    items: pl.DataFrame | None = None,
    users: pl.DataFrame | None = None,
    dropped: dict[str, int] | None = None,
    user_ids: pl.Series | None = None,
) -> Dataset:
    """The data set of raw tables; it does not depend on the order of their rows.

    Users and items are numbered in the order of a hash of their raw ids, so that ties broken by index favour no item.
    Of a repeated pair the earliest interaction is kept; among equal times the one with the highest value, then the one
    in train (else in val). The others are dropped and counted.

    Args:
        name: The data set's name.
        interactions: `user_id`, `item_id`, and, if present, `value`, `timestamp` and further columns.
        items: `item_id`, `text` and further columns, each id once; holds all items of the interactions.
        users: `user_id` and further columns, each id once; those without interactions are omitted and counted.
        dropped: The number of rows that the source dropped before, by filter.
        user_ids: All users, as `distinct_ids` returns them, if there are more than those of the interactions.

    Example:
        >>> rows = pl.DataFrame({"user_id": ["10", "9", "9"], "item_id": ["a", "b", "b"], "timestamp": [5, 7, 6]})
        >>> data = index("toy", rows)
        >>> sorted(data.users["user_id"]), data.dropped
        (['10', '9'], {'repeated (user, item) pairs': 1})
        >>> users, items = data.users["user_id"], data.items["item_id"]
        >>> [(users[user], items[item], time) for user, item, _, time in data.interactions.sort("timestamp").rows()]
        [('10', 'a', 5), ('9', 'b', 6)]
    """
    user_ids = distinct_ids(interactions[schema.USER_ID]) if user_ids is None else user_ids
    if items is None:
        items = distinct_ids(interactions[schema.ITEM_ID]).to_frame().with_columns(pl.lit("").alias(schema.TEXT))
    else:
        items = items[hash_order(items[schema.ITEM_ID])]
    dropped = dict(dropped or {})
    indexed = _indexed(interactions, user_ids, items[schema.ITEM_ID])
    unique = _earliest(indexed)
    _count(dropped, REPEATED, indexed.height - unique.height)
    people = user_ids.to_frame()
    if users is not None:
        people = people.join(users, on=schema.USER_ID, how="left", maintain_order="left")
        _count(dropped, IDLE_USERS, users.height - people.height)
    ordered = [column for column in _FIRST_COLUMNS if column in items.columns]
    return Dataset(name, unique, items.select(*ordered, pl.all().exclude(ordered)), people, dropped=dropped)


def index_numbers(name: str, interactions: pl.DataFrame, items: pl.DataFrame, n_users: int) -> Dataset:
    """The data set of interactions whose `user` and `item` are already indices 0…n-1, each pair once."""
    ids = pl.arange(n_users, eager=True).cast(pl.String).alias(schema.USER_ID).to_frame()
    value = pl.lit(1.0, pl.Float32).alias(schema.VALUE)
    ordered = interactions.select(schema.USER, schema.ITEM, value, schema.TIMESTAMP)
    return Dataset(name, ordered.sort(schema.USER, schema.TIMESTAMP, schema.ITEM), items, ids)


def distinct_ids(ids: pl.Series) -> pl.Series:
    """The distinct ids in the order of their hashes.

    Example:
        >>> distinct_ids(pl.Series(["a", "b", "b"])).equals(distinct_ids(pl.Series(["b", "a"])))
        True
    """
    distinct = ids.unique()
    return distinct.gather(hash_order(distinct))


def to_index(ids: pl.Series, known: pl.Series) -> pl.Series:
    """(n,) int32, the index of each id among the `known`; null for an unknown id."""
    table = pl.DataFrame({"id": known, "index": pl.arange(len(known), dtype=pl.Int32, eager=True)})
    return ids.to_frame("id").join(table, on="id", how="left", maintain_order="left")["index"]


def _indexed(interactions: pl.DataFrame, user_ids: pl.Series, item_ids: pl.Series) -> pl.DataFrame:
    has_value = schema.VALUE in interactions.columns
    value = pl.col(schema.VALUE).cast(pl.Float32) if has_value else pl.repeat(1.0, pl.len(), dtype=pl.Float32)
    user = to_index(interactions[schema.USER_ID], user_ids).alias(schema.USER)
    item = to_index(interactions[schema.ITEM_ID], item_ids).alias(schema.ITEM)
    rest = interactions.select(value.alias(schema.VALUE), pl.exclude(schema.USER_ID, schema.ITEM_ID, schema.VALUE))
    return pl.DataFrame([user, item, *rest.get_columns()])


def _earliest(indexed: pl.DataFrame) -> pl.DataFrame:
    time = [schema.TIMESTAMP] if schema.TIMESTAMP in indexed.columns else []
    part = pl.col(schema.PART).replace_strict(_PARTS, [0, 1, 2], return_dtype=pl.Int8, default=None)
    last = [part] if schema.PART in indexed.columns else []
    order = [schema.USER, *time, schema.ITEM, -pl.col(schema.VALUE), *last]
    ordered = indexed.sort(order)
    pair = pl.col(schema.USER).cast(pl.Int64) * 2**32 + pl.col(schema.ITEM)
    return ordered.filter(pair.is_first_distinct())


def _count(dropped: dict[str, int], name: str, rows: int) -> None:
    if rows:
        dropped[name] = dropped.get(name, 0) + rows
