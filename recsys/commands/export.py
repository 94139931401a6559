"""Write item and user vectors, a search index and the user tower.

The products of the vectors are the model's scores, so that other programs can serve it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl
from omegaconf import DictConfig
from rich.console import Console

import recsys
from recsys import schema
from recsys.commands.next_steps import print_header, print_next_steps, run_line
from recsys.schema import ConfigError
from recsys.serving.command_inputs import with_new_items
from recsys.serving.model import serve
from recsys.serving.request import ALL_USERS
from recsys.serving.table_files import TextFormat
from recsys.serving.tower import FORMATS, check_has_tower
from recsys.serving.users import known_users
from recsys.serving.vector_export import (
    FAISS,
    INDEX,
    ITEMS,
    USERS,
    faiss_index,
    formats_of,
    item_vectors,
    parquet,
    towers,
    users_table,
    vector_column,
)
from recsys.support.ids import one_id
from recsys.support.screen import Screen
from recsys.support.whole_files import OUTPUT, write_atomically

EXAMPLES = (
    "recsys export run=<id> output=exported users=all",
    "recsys export run=<id> tower=onnx",
)


def run(cfg: DictConfig, console: Console | None = None) -> None:
    """Write `items.parquet`, and `items.faiss`, `users.parquet` and `user_tower.*` as configured.

    Raises:
        ConfigError: If a value is unknown, or the run's score is not a dot product of vectors.
        RecsysError: If a tower does not give the model's scores.
        DataError: If the file of new items is malformed.
    """
    console = console or Screen()
    check_export(cfg)
    run = recsys.load(one_id(cfg, "run"), cfg.paths.runs_dir)
    print_header(console, run_line(run.record))
    served = serve(run)
    item_vectors(served)  # raises its error before anything is encoded
    if cfg.tower is not None:
        check_has_tower(served)
    served = with_new_items(cfg, served, console)
    vectors, folder = item_vectors(served), Path(cfg.output).expanduser()
    items = pl.DataFrame([served.items[schema.ITEM_ID], served.titles, vector_column(vectors)])
    files = {ITEMS: parquet(items)}
    if cfg.index is not None:
        files[INDEX] = faiss_index(vectors)
    if cfg.users == ALL_USERS:
        files[USERS] = parquet(users_table(served, known_users(served)))
    files.update(towers(served, vectors, formats_of(cfg.tower), console))
    for name, content in files.items():
        write_atomically(folder / name, content, OUTPUT)
    shape = f"{vectors.shape[0]} items in {vectors.shape[1]} dimensions"
    console.print(f"{shape}: {', '.join(files)} in {folder}", highlight=False, markup=False)
    own = f"run={one_id(cfg, 'run')}"
    recommend = ["recommend", own, "users=all", "output=recommendations.parquet"]
    of_tested = [["evaluate", own]] if run.record.metrics else []  # a refit on everything has no test
    print_next_steps(console, cfg, recommend, *of_tested)


def check_export(cfg: DictConfig) -> None:
    """Raise an error for outputs that cannot be written, before the run is loaded.

    Raises:
        ConfigError: Naming the key.
    """
    TextFormat.of(cfg.data)
    if cfg.index not in (None, FAISS):
        raise ConfigError(f"index is {cfg.index!r}; expected {FAISS}, or null.")
    if cfg.index == FAISS and find_spec("faiss") is None:
        raise ConfigError(
            'index=faiss needs the library FAISS: pip install "recsys-experiments[serve]", or omit it by index=null.'
        )
    for name in formats_of(cfg.tower):
        if name not in FORMATS:
            raise ConfigError(f"tower is {cfg.tower!r}; expected {', '.join(FORMATS)}, a list of them, or null.")
        missing = [library for library in FORMATS[name].needs if find_spec(library) is None]
        if missing:
            raise ConfigError(f'tower={name} needs {", ".join(missing)}: pip install "recsys-experiments[export]".')
    if cfg.users not in (None, ALL_USERS):
        raise ConfigError(f"users is {cfg.users!r}; expected {ALL_USERS}, or null.")
