"""Times RecTools' SASRec in its own environment and prints one JSON line; started by sasrec.py."""

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
from pandas import DataFrame, to_datetime
from pytorch_lightning import Trainer, seed_everything
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.net_blocks import PreLNTransformerLayers, TransformerLayersBase
from rectools.models.nn.transformers.sasrec import SASRecTransformerLayers

# Those with the sizes of ours (an inner width of four times the outer), and its SASRec's own (an inner width of one).
LAYERS = {"layers like ours": PreLNTransformerLayers, "its own layers": SASRecTransformerLayers}


def main(log: str, settings: str, lists: str) -> None:
    """Train, recommend to all test users, write their lists, and print the seconds."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    print(json.dumps(measure(Path(log), json.loads(settings), Path(lists))))


def measure(log: Path, settings: dict[str, Any], lists: Path) -> dict[str, Any]:
    """Figures by kind of layers, and versions."""
    with np.load(log) as arrays:
        train, known, users = as_dataset(arrays["train"]), as_dataset(arrays["known"]), arrays["test_users"]
    figures, found = {}, {}
    for name, layers in LAYERS.items():
        model = _model(settings, layers)
        model.fit(train)
        figures[name] = {
            "epochs": list(EpochTimer.epochs),
            "positives": sum(int((batch["y"] != 0).sum()) for batch in model.data_preparator.get_dataloader_train()),
            "weights": sum(weights.numel() for weights in model.torch_model.parameters()),
        }
        table = model.recommend(users, known, k=settings["top_k"], filter_viewed=True)
        table = table.pivot(index="user_id", columns="rank", values="item_id").reindex(users)
        found[name] = table.fillna(-1).to_numpy().astype(np.int64)
    np.savez(lists, **found)
    versions = {name: importlib.metadata.version(name) for name in ("rectools", "torch", "pytorch-lightning")}
    return {"layers": figures, "versions": versions}


def _model(settings: dict[str, Any], layers: type[TransformerLayersBase]) -> SASRecModel:
    seed_everything(settings["seed"], verbose=False)
    return SASRecModel(
        n_blocks=settings["n_layers"],
        n_heads=settings["n_heads"],
        n_factors=settings["dim"],
        dropout_rate=settings["dropout"],
        session_max_len=settings["max_history"],
        loss="softmax",
        lr=settings["learning_rate"],
        batch_size=settings["sequences of RecTools' batch"],
        transformer_layers_type=layers,
        get_trainer_func=lambda: trainer(settings["epochs"]),
    )


def as_dataset(rows: Any) -> Dataset:
    """RecTools' form of rows (n, 3): user, item, microseconds since 1970."""
    frame = DataFrame(rows, columns=["user_id", "item_id", "datetime"])
    return Dataset.construct(frame.assign(datetime=to_datetime(frame["datetime"], unit="us"), weight=1.0))


def trainer(epochs: int) -> Trainer:
    """A trainer that times epochs and does nothing else beside them."""
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[EpochTimer()],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
