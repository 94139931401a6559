"""What classics.py times of ours."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from epoch_timer import EpochTimer
from numpy.typing import NDArray
from rival_classics import ALPHA, BPR_EPOCHS, N_FACTORS, N_NEIGHBORS, REGULARIZATION, SEED, K, Log

import recsys
from recsys.config.compose import build, compose
from recsys.data.ragged import ItemLists
from recsys.metrics.topk import rank_items
from recsys.rankers.base import SharedItems, UserSide
from recsys.schema import ModelContext, TrainInteractions, UserBatch
from recsys.training.batches import TensorLists

MAX_SCORES = 4_000_000  # at once, the default of batches.max_scores
SETTINGS = {
    "als": [f"n_factors={N_FACTORS}", f"alpha={ALPHA}", f"regularization={REGULARIZATION}", "frequency_scaling=0"],
    "itemknn": [f"n_neighbors={N_NEIGHBORS}"],
}


def fitted(name: str, log: Log) -> tuple[Any, float]:
    """A ranker that is solved on the log, and the seconds of that."""
    n_users, n_items = map(int, log.sizes)
    overrides = [f"ranker.{setting}" for setting in SETTINGS[name]]
    if name == "als":
        overrides.append(f"ranker.n_iterations={log.n_iterations}")
    counts = torch.from_numpy(np.bincount(log.items, minlength=n_items))
    context = ModelContext(N_FACTORS, torch.ones(n_users, dtype=torch.bool), counts)
    ranker = build("ranker", compose([f"ranker={name}", *overrides]).ranker, context)
    no_text = np.zeros((n_items, 0), dtype=np.float32)
    train = TrainInteractions(log.users, log.items, None, n_users, n_items, no_text, SEED)
    _ = train.matrix  # implicit is given its matrix too
    start = time.perf_counter()
    ranker.fit(train)
    return ranker, time.perf_counter() - start


@torch.no_grad()
def top_items(ranker: Any, log: Log) -> NDArray[np.int64]:
    """(n_users, K) the best items that each user does not have, a chunk of users at a time, as a run serves them."""
    n_users, n_items = map(int, log.sizes)
    lists = ItemLists.from_pairs(log.users, log.items, n_users)
    histories, found = TensorLists(lists), []
    items = SharedItems(torch.arange(n_items), torch.empty(n_items, 0))
    for users in torch.arange(n_users).split(max(1, MAX_SCORES // n_items)):
        batch = UserBatch(users, *histories.newest(users, None, sys.maxsize))
        scores = ranker.score_catalogue(UserSide(batch, torch.empty(len(users), 0)), items).clone()
        seen, columns = torch.from_numpy(lists.pairs(users.numpy()))
        scores[seen, columns] = -torch.inf
        found.append(rank_items(scores, K, users, SEED))
    return torch.cat(found).numpy()


def bpr_epoch(log: Log, folder: Path) -> float:
    """Seconds of an epoch of `ranker=cf loss=bpr` on the log; the first is left out."""
    n_users, n_items = map(int, log.sizes)
    # Two more pairs for each user, which are the split's validation and test.
    users = np.concatenate([log.users, np.repeat(np.arange(n_users), 2)])
    items = np.concatenate([log.items, np.tile([n_items, n_items + 1], n_users)])
    times = np.concatenate([np.zeros(len(log.users), dtype=np.int64), np.tile([1, 2], n_users)])
    pl.DataFrame({"user": users, "item": items, "time": times}).write_parquet(folder / "log.parquet")
    recsys.run(
        [
            "data=table",
            f"data.path={folder}",
            "data.interactions.file=log.parquet",
            "data.interactions.user=user",
            "data.interactions.item=item",
            "data.interactions.timestamp=time",
            "split=leave_last_out",
            "test_knowledge=train",
            "encoder=none",
            "ranker=cf",
            "loss=bpr",
            "negatives=uniform",
            "negatives.n_negatives=1",
            "logger=none",
            "metrics.val=[ndcg@10]",
            "metrics.test=[ndcg@10]",
            "batches.batch_size=2048",
            f"features.dim={N_FACTORS}",
            f"trainer.max_epochs={BPR_EPOCHS + 1}",
            "trainer.enable_progress_bar=false",
            "num_threads=1",
            # implicit is timed without checkpoints and early stopping, so ours come never.
            "+callbacks.checkpoint.every_n_epochs=1000",
            "callbacks.early_stopping.patience=1000",
            "+callbacks.epoch_timer._target_=epoch_timer.EpochTimer",
            f"paths.runs_dir={folder}/runs",
            f"paths.cache_dir={folder}/cache",
            "rerun=true",
        ]
    )
    return statistics.median(EpochTimer.epochs[1:])
