"""What all tests share: a small real-enough data set, seeds, and one folder for caches."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_runs import TINY_GPT2

for name in ("RECSYS_RUNS", "RECSYS_CONF", "RECSYS_TRUST"):  # the user's settings change no test
    os.environ.pop(name, None)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole session: texts are encoded once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides for a piece of real MovieLens, small enough for a run in under a second: 80 users, about 300 films.

    A run is tested as it was validated; tests of the second fit set `test_knowledge=refit`.
    """
    import polars as pl

    from recsys.data.sources.movielens_small import FOLDER

    folder = tmp_path_factory.mktemp("small")
    movies = pl.read_parquet(FOLDER / "movies.parquet").with_columns(pl.col("title").fill_null(""))
    ratings = pl.read_parquet(FOLDER / "ratings.parquet")
    popular = ratings.group_by("movieId").len().sort("len", "movieId", descending=True).head(300)["movieId"]
    ratings = ratings.filter(pl.col("movieId").is_in(popular.implode()) & (pl.col("userId") <= 80))
    kept = movies.filter(pl.col("movieId").is_in(popular.implode()))
    kept.write_csv(folder / "movies.csv")
    ratings.write_csv(folder / "ratings.csv")
    return [
        "data=table",
        f"data.path={folder}",
        "data.interactions.file=ratings.csv",
        "data.interactions.user=userId",
        "data.interactions.item=movieId",
        "data.interactions.rating=rating",
        "data.interactions.timestamp=timestamp",
        "data.items.file=movies.csv",
        "data.items.id=movieId",
        "data.items.template='{title}. {genres}'",
        "test_knowledge=train",
        "trainer.max_epochs=1",
        "trainer.enable_progress_bar=false",
        "batches.batch_size=256",
        "batches.max_history=10",
    ]


@pytest.fixture(scope="session")
def vector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random vectors of all films, by their raw ids."""
    import numpy as np
    import polars as pl

    import recsys
    from recsys.data.sources.movielens_small import FOLDER

    ids = pl.read_parquet(FOLDER / "movies.parquet")["movieId"].to_list()
    path = tmp_path_factory.mktemp("vectors") / "films.safetensors"
    recsys.save_vectors(path, np.random.default_rng(0).standard_normal((len(ids), 6)), ids)
    return path


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory, vector_file: Path) -> Iterator[dict[str, list[str]]]:
    """Overrides by the choice that would need a real language model: a random Llama or a small server."""
    from encoders.embedding_server import serving
    from encoders.tiny_models import causal_folder

    folder = causal_folder("llama", tmp_path_factory.mktemp("llama"))
    ranked = ["ranker.top_n=5", "ranker.prompt.n_history=2", "ranker.n_diagnostic_users=5"]
    with serving() as server:
        yield {
            "smollm": [f"encoder.weights={folder}"],
            "prompt": [f"ranker.language_model.weights={folder}", *ranked],
            "vectors": [f"encoder.path='{vector_file}'"],
            "endpoint": [f"encoder.url={server.url}", "encoder.model=stub"],
        }


@pytest.fixture
def tiny_gpt2() -> list[str]:
    return list(TINY_GPT2)
