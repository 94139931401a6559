"""Vectors whose inner products are a run's scores, for serving by other programs."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from omegaconf import ListConfig
from rich.console import Console

from recsys import schema
from recsys.rankers.base import Factorised, SharedItems
from recsys.schema import ConfigError
from recsys.serving.model import Served
from recsys.serving.ranking import chunks
from recsys.serving.tower import FORMATS, export_program, fixed_length
from recsys.serving.tower_check import check_tower
from recsys.serving.users import ServedUsers

ITEMS, USERS, INDEX, TOWER = "items.parquet", "users.parquet", "items.faiss", "user_tower"
FAISS = "faiss"
VECTOR, KNOWN = "vector", "known"


@torch.no_grad()
def item_vectors(served: Served) -> NDArray[np.float32]:
    """(n_items, d) vectors of the recommendable items; their inner products with `user_vectors` are the scores.

    Raises:
        ConfigError: If the run's score is not an inner product of vectors.
    """
    items = SharedItems(torch.arange(served.n_items), served.item_vectors[: served.n_items])
    return _factorised(served).item_factors_of(items).contiguous().numpy()


@torch.no_grad()
def user_vectors(served: Served, users: ServedUsers) -> NDArray[np.float32]:
    """(U, d) vectors of users; see `item_vectors`.

    Raises:
        ConfigError: If the run's score is not an inner product of vectors.
    """
    found = []
    for rows in chunks(served, len(users)):
        batch = users.batch(rows, served.max_history)
        side = served.model.user_side(batch, served.item_vectors, batch.history)
        found.append(_factorised(served).user_factors_of(side))
    return torch.cat(found).numpy()


def _factorised(served: Served) -> Factorised:
    ranker = served.model.ranker
    if not isinstance(ranker, Factorised):
        raise ConfigError(
            "export writes vectors whose inner products are a run's scores, and the scores of "
            f"ranker={served.run.cfg.choices.ranker} are none. Use a run with ranker=dot, cf, two_tower or "
            "als, or write its recommendations: recsys recommend users=all output=recs.parquet."
        )
    return ranker


def formats_of(tower: str | ListConfig | None) -> list[str]:
    """The formats that the key `tower` names."""
    return [] if tower is None else list(tower) if isinstance(tower, ListConfig) else [tower]


def towers(served: Served, vectors: NDArray[np.float32], formats: Sequence[str], console: Console) -> dict[str, bytes]:
    """The contents of the user tower's files, by file name; each is reopened and compared with the model.

    Raises:
        ConfigError: If the run has no user tower that can be exported, or it is too large for the format.
        RecsysError: If an exported tower does not give the model's scores.
    """
    if not formats:
        return {}
    program, items, files = export_program(served), torch.from_numpy(vectors), {}
    length = fixed_length(program)
    for name in formats:
        file, content = f"{TOWER}.{name}", FORMATS[name].write(program)
        n_lists = check_tower(FORMATS[name].open(content), served, items, file, length)
        console.print(f"{file}: {n_lists} lists are equal to the model's", highlight=False, markup=False)
        files[file] = content
    return files


def faiss_index(vectors: NDArray[np.float32]) -> bytes:
    """A serialised FAISS index with exact search by largest inner product of vectors (n_items, d); row i is item i."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it logs the builds that it does not find
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    return faiss.serialize_index(index).tobytes()


def users_table(served: Served, users: ServedUsers) -> pl.DataFrame:
    """A table of users with their vectors, and the items that are not recommended to them."""
    ids = served.items[schema.ITEM_ID]
    owners = np.repeat(np.arange(len(users)), users.not_recommended.lengths)
    known = pl.DataFrame({"row": owners, KNOWN: ids.gather(users.not_recommended.values)})
    lists = known.group_by("row", maintain_order=True).agg(KNOWN)
    every = pl.DataFrame({"row": np.arange(len(users))}).join(lists, on="row", how="left", maintain_order="left")
    filled = every[KNOWN].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))
    return pl.DataFrame([users.ids, filled, vector_column(user_vectors(served, users))])


def vector_column(vectors: NDArray[np.float32]) -> pl.Series:
    """(n, d) vectors as a column of arrays."""
    return pl.Series(VECTOR, vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))


def parquet(frame: pl.DataFrame) -> bytes:
    """The content of a parquet file with this table."""
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()
