"""An order of each user's interactions that does not depend on file order or on the indices of users and items."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.id_hashes import id_digests

TIE_RULE = "splitmix64 of the seed and the raw ids of user and item, version 1"


def ordered(dataset: Dataset, seed: int) -> pl.DataFrame:
    """The interactions sorted by user, then time if the data has it, then the seeded hash of user and item."""
    interactions = dataset.interactions
    users, items = interactions[schema.USER].to_numpy(), interactions[schema.ITEM].to_numpy()
    times = interactions[schema.TIMESTAMP].to_numpy() if dataset.has_timestamps else None
    return interactions[user_order(users, times, pair_hash(dataset, users, items, seed))]


def user_order(users: NDArray[Any], times: NDArray[Any] | None, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The order (n,) that sorts by user, then time, then hash.

    It sorts one packed 64-bit key of user, time and the first bits of the hash, then only the rows of equal keys. This
    is many times faster than sorting all rows by three keys.

    Example:
        >>> user_order(np.array([1, 0, 1, 1]), np.array([5, 9, 5, 4]), np.array([8, 8, 7, 9], dtype=np.uint64)).tolist()
        [1, 3, 2, 0]
    """
    times = np.zeros(1, dtype=np.int64) if times is None else times
    if len(users) == 0:
        return np.empty(0, dtype=np.int64)
    times = _counted(times)
    span = int(times.max())
    spare = 64 - int(users.max()).bit_length() - span.bit_length()
    if spare < 1:
        return np.lexsort((hashes, np.broadcast_to(times, users.shape), users))
    packed = times.astype(np.uint64) | (users.astype(np.uint64) << np.uint64(span.bit_length()))
    packed = (packed << np.uint64(spare)) | (hashes >> np.uint64(64 - spare))
    return _settle(np.argsort(packed), packed, hashes)


def _counted(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times since the first one, in seconds or milliseconds if that is exact, to need fewer bits."""
    times = times - times.min()
    for unit in (schema.MICROSECONDS, schema.MICROSECONDS // 1000):
        if not (times % unit).any():
            return times // unit
    return times


def _settle(order: NDArray[np.int64], packed: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Sort the rows of equal `packed` keys by their whole hashes."""
    key = packed[order]
    is_equal = key[1:] == key[:-1]
    places = np.flatnonzero(np.r_[False, is_equal] | np.r_[is_equal, False])
    rows = order[places]
    order[places] = rows[np.lexsort((rows, hashes[rows], key[places]))]
    return order


def pair_hash(dataset: Dataset, users: NDArray[Any], items: NDArray[Any], seed: int) -> NDArray[np.uint64]:
    """(n,) a 64-bit hash of each (user, item) pair by their raw ids, and of the seed."""
    user_hash = id_hashes(dataset.users[schema.USER_ID], seed)
    item_hash = id_digests(dataset.items[schema.ITEM_ID])
    return _mix(user_hash[users] ^ item_hash[items])


def id_hashes(ids: pl.Series, seed: int) -> NDArray[np.uint64]:
    """(n,) a 64-bit hash of each raw id and of the seed, the same on every machine and version."""
    return _mix(id_digests(ids) ^ np.uint64(seed))


def tied_cuts(interactions: pl.DataFrame, part: NDArray[np.int8]) -> float | None:
    """The share of cuts between two parts of a user that fall between equal timestamps; None without time or cuts."""
    if schema.TIMESTAMP not in interactions.columns:
        return None
    users, times = interactions[schema.USER].to_numpy(), interactions[schema.TIMESTAMP].to_numpy()
    cut = (users[1:] == users[:-1]) & (part[1:] != part[:-1])
    return float((times[1:] == times[:-1])[cut].mean()) if cut.any() else None


def place_in_user(users: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For interactions sorted by user: (n,) the position of each within its user, and (n,) that user's number of them.

    Example:
        >>> place_in_user(np.array([4, 4, 7]))
        (array([0, 1, 0]), array([2, 2, 1]))
    """
    first = np.flatnonzero(np.r_[True, users[1:] != users[:-1]][: len(users)])
    sizes = np.diff(np.r_[first, len(users)])
    return np.arange(len(users)) - np.repeat(first, sizes), np.repeat(sizes, sizes)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele et al., 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
