"""An order of each user's interactions that neither file order nor ids can influence."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys import schema
from recsys.data.dataset import Dataset

TIE_RULE = "splitmix64 of the seed and the raw ids of user and item, version 1"


def ordered(dataset: Dataset, seed: int) -> pl.DataFrame:
    """The interactions by user, then time, then the seeded hash of user and item."""
    interactions = dataset.interactions
    ties = pair_hash(dataset, interactions[schema.USER].to_numpy(), interactions[schema.ITEM].to_numpy(), seed)
    keys: list[NDArray] = [ties]
    if dataset.has_timestamps:
        keys.append(interactions[schema.TIMESTAMP].to_numpy())
    keys.append(interactions[schema.USER].to_numpy())
    return interactions[np.lexsort(keys)]


def pair_hash(dataset: Dataset, users: NDArray, items: NDArray, seed: int) -> NDArray[np.uint64]:
    """A 64-bit hash of each (user, item) pair by their raw ids, and of the seed."""
    user_hash = id_hashes(dataset.users[schema.USER_ID])
    item_hash = id_hashes(dataset.items[schema.ITEM_ID])
    return _mix(_mix(user_hash[users] ^ np.uint64(seed)) ^ item_hash[items])


def id_hashes(ids: pl.Series) -> NDArray[np.uint64]:
    """A 64-bit hash of each raw id, the same on every machine and version."""
    digests = b"".join(hashlib.blake2b(raw.encode(), digest_size=8).digest() for raw in ids.to_list())
    return np.frombuffer(digests, dtype="<u8").copy()


def tied_cuts(interactions: pl.DataFrame, part: NDArray[np.int8]) -> float | None:
    """The share of cuts between two parts of a user that fall between equal timestamps; None without time or cuts."""
    if schema.TIMESTAMP not in interactions.columns:
        return None
    users, times = interactions[schema.USER].to_numpy(), interactions[schema.TIMESTAMP].to_numpy()
    cut = (users[1:] == users[:-1]) & (part[1:] != part[:-1])
    return float((times[1:] == times[:-1])[cut].mean()) if cut.any() else None


def place_in_user(users: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For interactions ordered by user: each one's place within its user, and how many that user has.

    Example:
        >>> place_in_user(np.array([4, 4, 7]))
        (array([0, 1, 0]), array([2, 2, 1]))
    """
    first = np.flatnonzero(np.r_[True, users[1:] != users[:-1]]) if len(users) else np.empty(0, dtype=np.int64)
    sizes = np.diff(np.r_[first, len(users)])
    return np.arange(len(users)) - np.repeat(first, sizes), np.repeat(sizes, sizes)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
