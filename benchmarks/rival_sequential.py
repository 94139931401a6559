"""Trains RecTools' eSASRec and HSTU in its own environment and prints one JSON line; started by sequential.py."""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import importlib.metadata
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from epoch_timer import EpochTimer
from pandas import DataFrame, Timestamp
from pytorch_lightning import seed_everything
from rectools.models import SASRecModel
from rectools.models.nn.transformers.hstu import HSTUModel
from rectools.models.nn.transformers.ligr import LiGRLayers
from rival_rectools import as_dataset, trainer

HSTU = (HSTUModel, {"relative_time_attention": False, "similarity_module_kwargs": {"distance": "dot"}})
AUTHORS_HSTU = (HSTUModel, {"lightning_module_kwargs": {"logits_t": 0.05}})  # cosine, and the time bias
VARIANTS: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {
    "esasrec": {"same parts": (SASRecModel, {"transformer_layers_type": LiGRLayers})},
    "hstu": {"same parts": HSTU, "time bias and cosine": AUTHORS_HSTU},
}


def main(log: str, settings: str, lists: str) -> None:
    """Train, recommend to all test users, write their lists, and print the seconds."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(measure(Path(log), json.loads(settings), Path(lists))))


def measure(log: Path, settings: dict[str, Any], lists: Path) -> dict[str, Any]:
    """Figures by variant of the model, and versions."""
    with np.load(log) as arrays:
        train, known, users = as_dataset(arrays["train"]), as_dataset(arrays["known"]), arrays["test_users"]
        now = Timestamp(int(arrays["known"][:, 2].max()), unit="us")
    figures, found = {}, {}
    for name, (kind, options) in VARIANTS[settings["model"]].items():
        n_epochs = max(1, round(settings["positives"] / _positives(settings, train)))
        model = _model(settings, kind, options, n_epochs)
        model.fit(train)
        figures[name] = {
            "epochs": list(EpochTimer.epochs),
            "n_epochs": n_epochs,
            "positives": _positives(settings, train),
            "weights": sum(weights.numel() for weights in model.torch_model.parameters()),
        }
        found[name] = _lists(model, known, users, now, settings["top_k"])
    np.savez(lists, **found)
    versions = {name: importlib.metadata.version(name) for name in ("rectools", "torch", "pytorch-lightning")}
    return {"variants": figures, "versions": versions}


def _positives(settings: dict[str, Any], train: Any) -> int:
    """Positives of an epoch: of each user's newest `max_history` + 1 items all but the first."""
    counts = train.interactions.df["user_id"].value_counts().to_numpy()
    return int(np.minimum(counts - 1, settings["max_history"]).sum())


def _model(settings: dict[str, Any], kind: Any, options: dict[str, Any], n_epochs: int) -> Any:
    seed_everything(settings["seed"], verbose=False)
    return kind(
        n_blocks=settings["n_layers"],
        n_heads=settings["n_heads"],
        n_factors=settings["dim"],
        dropout_rate=settings["dropout"],
        session_max_len=settings["max_history"],
        loss="sampled_softmax",
        n_negatives=settings["n_negatives"],
        lr=settings["learning_rate"],
        batch_size=settings["sequences of RecTools' batch"],
        get_trainer_func=lambda: trainer(n_epochs),
        **options,
    )


def _lists(model: Any, known: Any, users: Any, now: Timestamp, top_k: int) -> Any:
    """(n_users, top_k) items, -1 where there are fewer."""
    context = DataFrame({"user_id": users, "datetime": now}) if model.require_recommend_context else None
    if context is not None:  # needs the columns of interactions as well
        context = context.assign(item_id=0, weight=1.0)
    table = model.recommend(users, known, k=top_k, filter_viewed=True, context=context)
    table = table.pivot(index="user_id", columns="rank", values="item_id").reindex(users)
    return table.fillna(-1).to_numpy().astype(np.int64)


if __name__ == "__main__":
    main(*sys.argv[1:])
