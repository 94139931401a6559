"""The command `export`: vectors whose products are a run's scores, for other programs to serve."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, ListConfig
from rich.console import Console

import recsys
from recsys import schema
from recsys.rankers.base import ItemSide
from recsys.schema import ConfigError
from recsys.serving.command import with_new_items
from recsys.serving.ids import one_id
from recsys.serving.model import Served, serve
from recsys.serving.ranking import chunks
from recsys.serving.request import ALL_USERS
from recsys.serving.tower import FORMATS, check_has_tower, export_program, fixed_length
from recsys.serving.tower_check import check_tower
from recsys.serving.users import ServedUsers, known_users
from recsys.support.screen import Screen
from recsys.tracking.files import write_atomically

ITEMS, USERS, INDEX, TOWER = "items.parquet", "users.parquet", "items.faiss", "user_tower"
FAISS = "faiss"
VECTOR, KNOWN = "vector", "known"


def export_command(cfg: DictConfig, console: Console | None = None) -> None:
    """Write `items.parquet`, and `items.faiss`, `users.parquet` and `user_tower.*` where they are asked for.

    Raises:
        ConfigError: If a value is unknown, or the run's score is no product of vectors.
        RecsysError: If a tower does not give the model's scores.
        DataError: If the file of new items is malformed.
    """
    console = console or Screen()
    check_export(cfg)
    served = serve(recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir))
    item_vectors(served)  # refuses before anything is encoded
    if cfg.tower is not None:
        check_has_tower(served)
    served = with_new_items(cfg, served, console)
    vectors, folder = item_vectors(served), Path(cfg.output).expanduser()
    items = pl.DataFrame([served.items[schema.ITEM_ID], served.titles, _column(vectors)])
    files = {ITEMS: _parquet(items)}
    if cfg.index is not None:
        files[INDEX] = faiss_index(vectors)
    if cfg.users == ALL_USERS:
        files[USERS] = _parquet(_users_table(served, known_users(served)))
    files.update(towers(served, vectors, formats_of(cfg.tower), console))
    for name, content in files.items():
        write_atomically(folder / name, content)
    shape = f"{vectors.shape[0]} items in {vectors.shape[1]} dimensions"
    console.print(f"{shape}: {', '.join(files)} in {folder}", highlight=False, markup=False)


def check_export(cfg: DictConfig) -> None:
    """Refuse what cannot be written, before the run is loaded.

    Raises:
        ConfigError: Naming the key.
    """
    if cfg.index not in (None, FAISS):
        raise ConfigError(f"index is {cfg.index!r}; expected {FAISS}, or null.")
    if cfg.index == FAISS and find_spec("faiss") is None:
        raise ConfigError(
            'index=faiss needs the library FAISS: pip install "recsys[serve]", or write none by index=null.'
        )
    for name in formats_of(cfg.tower):
        if name not in FORMATS:
            raise ConfigError(f"tower is {cfg.tower!r}; expected {', '.join(FORMATS)}, a list of them, or null.")
        missing = [library for library in FORMATS[name].needs if find_spec(library) is None]
        if missing:
            raise ConfigError(f'tower={name} needs {", ".join(missing)}: pip install "recsys[export]".')
    if cfg.users not in (None, ALL_USERS):
        raise ConfigError(f"users is {cfg.users!r}; expected {ALL_USERS}, or null.")


@torch.no_grad()
def item_vectors(served: Served) -> NDArray[np.float32]:
    """(n_items, d) vectors of the items that may be recommended; their products with `user_vectors` are the scores.

    Raises:
        ConfigError: If the run's score is no product of vectors.
    """
    n = served.n_items
    vectors = served.model.ranker.item_factors_of(ItemSide(torch.arange(n), served.item_vectors[:n]))
    if vectors is None:
        ranker = served.run.cfg.choices.ranker
        raise ConfigError(
            f"export writes vectors whose products are a run's scores, and those of ranker={ranker} are "
            "no products. Use a run with ranker=dot, cf, two_tower or als, or write its recommendations: "
            "recsys recommend users=all output=recs.parquet."
        )
    return vectors.contiguous().numpy()


@torch.no_grad()
def user_vectors(served: Served, users: ServedUsers) -> NDArray[np.float32]:
    """(U, d) vectors of users, for those of `item_vectors`."""
    found = []
    for rows in chunks(served, len(users)):
        batch = users.batch(rows, served.max_history)
        side = served.model.user_side(batch, served.item_vectors, batch.history)
        found.append(served.model.ranker.user_factors_of(side))
    return torch.cat(found).numpy()


def formats_of(tower: str | ListConfig | None) -> list[str]:
    """The formats that the key `tower` names."""
    return [] if tower is None else list(tower) if isinstance(tower, ListConfig) else [tower]


def towers(served: Served, vectors: NDArray[np.float32], formats: Sequence[str], console: Console) -> dict[str, bytes]:
    """Files of the user tower in some formats, each reopened and compared with the model.

    Raises:
        RecsysError: If one does not give the model's scores.
    """
    if not formats:
        return {}
    program, items, files = export_program(served), torch.from_numpy(vectors), {}
    length = fixed_length(program)
    for name in formats:
        file, content = f"{TOWER}.{name}", FORMATS[name].write(program)
        n_lists = check_tower(FORMATS[name].open(content), served, items, file, length)
        console.print(f"{file}: {n_lists} lists are the model's", highlight=False, markup=False)
        files[file] = content
    return files


def faiss_index(vectors: NDArray[np.float32]) -> bytes:
    """An index that searches (n_items, d) vectors by largest product, exactly; row i is item i."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which builds it does not find
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    return faiss.serialize_index(index).tobytes()


def _users_table(served: Served, users: ServedUsers) -> pl.DataFrame:
    ids = served.items[schema.ITEM_ID]
    owners = np.repeat(np.arange(len(users)), users.not_recommended.lengths)
    known = pl.DataFrame({"row": owners, KNOWN: ids.gather(users.not_recommended.values)})
    lists = known.group_by("row", maintain_order=True).agg(KNOWN)
    every = pl.DataFrame({"row": np.arange(len(users))}).join(lists, on="row", how="left", maintain_order="left")
    filled = every[KNOWN].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))
    return pl.DataFrame([users.ids, filled, _column(user_vectors(served, users))])


def _column(vectors: NDArray[np.float32]) -> pl.Series:
    return pl.Series(VECTOR, vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))


def _parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()
