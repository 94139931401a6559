"""Grouping by a key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def group_by(entries: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Lists of the entries with equal keys, in the order of the first entry of each key."""
    groups: dict[K, list[T]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return groups
