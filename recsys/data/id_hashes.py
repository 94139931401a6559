"""Hashes of raw ids that do not depend on the machine, the version or the order of a file."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray


def id_digests(ids: pl.Series) -> NDArray[np.uint64]:
    """(n,) a 64-bit hash (blake2b) of each raw id."""
    digests = b"".join(hashlib.blake2b(raw.encode(), digest_size=8).digest() for raw in ids.to_list())
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def hash_order(ids: pl.Series) -> pl.Series:
    """The row numbers (n,) that sort distinct raw ids by their hashes.

    Example:
        >>> ids = pl.Series(["b", "a", "c"])
        >>> ids.gather(hash_order(ids)).to_list() == ids.reverse().gather(hash_order(ids.reverse())).to_list()
        True
    """
    rows = pl.arange(len(ids), eager=True)
    return pl.DataFrame({"hash": id_digests(ids), "id": ids, "row": rows}).sort("hash", "id")["row"]
