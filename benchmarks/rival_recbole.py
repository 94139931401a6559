"""Times RecBole's BPR inside RecBole's own environment and prints one JSON line; started by train_and_evaluate.py."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.model.general_recommender import BPR
from recbole.trainer import Trainer
from recbole.utils import init_seed


def main() -> None:
    """Train for some epochs, evaluate some times, and print the seconds of each."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    # What RecBole 1.2.1 makes pandas and torch of today warn about is of no concern here.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    settings = _settings(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # RecBole writes logs and checkpoints below the working directory
        print(json.dumps(measure(settings, arguments.evaluations, arguments.large_batch)))


def measure(settings: dict[str, Any], n_evaluations: int, large_batch: int) -> dict[str, Any]:
    """Seconds of each epoch (negative sampling included) and of each evaluation of the test part."""
    config = Config(model="BPR", dataset=settings.pop("name"), config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    train, _, test = data_preparation(config, create_dataset(config))
    trainer = Trainer(config, BPR(config, train.dataset))
    trainer.eval_collector.data_collect(train)
    epochs = [_seconds(trainer._train_epoch, train, epoch)[0] for epoch in range(config["epochs"])]
    evaluations = [_evaluate(trainer, test) for _ in range(n_evaluations)]
    config["eval_batch_size"] = large_batch * test.dataset.item_num
    large = FullSortEvalDataLoader(config, test.dataset, test._sampler)
    large_evaluations = [_evaluate(trainer, large) for _ in range(n_evaluations)]
    return {
        "epoch_seconds": epochs,
        "evaluation_seconds": [seconds for seconds, _ in evaluations],
        "large_batch_evaluation_seconds": [seconds for seconds, _ in large_evaluations],
        "ndcg@10": evaluations[-1][1]["ndcg@10"],
        "train_interactions": len(train.dataset),
        "test_users": len(test.uid_list),
        "versions": {name: importlib.metadata.version(name) for name in ("recbole", "torch", "numpy")},
    }


def _evaluate(trainer: Trainer, data: FullSortEvalDataLoader) -> tuple[float, Any]:
    return _seconds(trainer.evaluate, data, load_best_model=False)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """RecBole's defaults, but for what is asked for, one device and leave-last-out with full ranking."""
    return {
        "name": arguments.name,
        "data_path": str(arguments.folder.resolve()),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "embedding_size": arguments.dim,
        "learning_rate": arguments.learning_rate,
        "train_batch_size": arguments.batch_size,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "use_gpu": False,
        "show_progress": False,
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
    }


def _seconds(function: Any, *arguments: Any, **options: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function(*arguments, **options)
    return time.perf_counter() - start, result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the folder that holds NAME/NAME.inter")
    parser.add_argument("--name", required=True)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--large-batch", type=int, default=512, help="users in a batch of the large evaluation")
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=2020)
    return parser.parse_args()


if __name__ == "__main__":
    main()
