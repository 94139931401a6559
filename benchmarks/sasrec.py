"""Seconds per epoch of `experiment=sasrec`, and what it learns in some epochs, against RecTools' SASRecModel.

Both have the same sizes, full softmax, learning rate and number of epochs, one split and one thread.

Example:
    python benchmarks/sasrec.py
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import environments
import numpy as np
from environments import RECTOOLS
from harness import Comparison, Seconds, console
from rival_process import measured
from synthetic_log import write_log

from recsys import schema
from recsys.tracking import environment

LAYERS = ("layers like ours", "its own layers")  # of RecTools; the latter do half the multiplications
SETTINGS: dict[str, Any] = {
    "dim": 64,
    "n_layers": 2,
    "n_heads": 2,
    "dropout": 0.1,
    "max_history": 50,
    "learning_rate": 0.001,
    "positives of our batch": 1024,
    "sequences of RecTools' batch": 24,  # about as many positives
    "top_k": 10,
    "threads": 1,
    "seed": 0,
}
EPOCHS = {"tiny": 2, "ml-100k": 10}
TINY = (60, 40, 900)  # users, items, interactions


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures."""
    arguments = _arguments(argv)
    shape = "tiny" if arguments.tiny else "ml-100k"
    settings = {**SETTINGS, "epochs": EPOCHS[shape]}
    rival_is_there = not arguments.tiny or RECTOOLS.is_installed()
    if not rival_is_there:
        console.print("RecTools is left out: its environment is not there (a run without --tiny makes it).")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        overrides = _overrides(_interactions(shape, folder), settings, folder)
        comparison = Comparison(
            name="sasrec-rectools",
            what=f"SASRec on {'a toy log' if arguments.tiny else 'the real ML-100K'}, leave-last-out",
            settings=settings,
            rival_name="RecTools",
            versions=environment.versions(),
        )
        write_split(overrides, folder / "split.npz")
        comparison.run(
            1 if arguments.tiny else arguments.repeats,
            partial(_ours, overrides, comparison),
            partial(_theirs, settings, folder, comparison) if rival_is_there else None,
        )
    comparison.show()
    if not arguments.tiny:
        comparison.save()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    return parser.parse_args(argv)


def _interactions(shape: str, scratch: Path) -> Path:
    if shape == "tiny":
        return write_log(scratch / "tiny.inter", *TINY)
    environments.recbole_python()
    return Path(shutil.copy(environments.ml_100k() / "ml-100k.inter", scratch))


def _overrides(log: Path, settings: dict[str, Any], folder: Path) -> list[str]:
    return [
        "experiment=sasrec",
        "data=table",
        f"data.path={log.parent}",
        f"data.interactions.file={log.name}",
        "data.interactions.timestamp=timestamp",
        "split=leave_last_out",
        "optimizer=adam",
        "optimizer.weight_decay=0.0",
        "logger=none",
        # RecTools is timed without checkpoints and early stopping, so ours come never.
        "+callbacks.checkpoint.every_n_epochs=1000",
        "callbacks.early_stopping.patience=1000",
        "+callbacks.epoch_timer._target_=epoch_timer.EpochTimer",
        f"features.dim={settings['dim']}",
        f"profile.n_layers={settings['n_layers']}",
        f"profile.n_heads={settings['n_heads']}",
        f"profile.dropout={settings['dropout']}",
        f"batches.max_history={settings['max_history']}",
        f"batches.batch_size={settings['positives of our batch']}",
        f"learning_rate={settings['learning_rate']}",
        f"metrics.val=[ndcg@{settings['top_k']}]",
        f"num_threads={settings['threads']}",
        f"seed={settings['seed']}",
        f"trainer.max_epochs={settings['epochs']}",
        "test_knowledge=train",
        "trainer.enable_progress_bar=false",
        f"paths.runs_dir={folder / 'runs'}",
        f"paths.cache_dir={folder / 'cache'}",
        "rerun=true",
    ]


def write_split(overrides: list[str], path: Path) -> int:
    """Write the split's train and known interactions and test pairs for RecTools; give the size of the train part."""
    import recsys
    from recsys.experiment.inputs import load_split

    split = load_split(recsys.compose(overrides))
    columns = [schema.USER, schema.ITEM, schema.TIMESTAMP]
    train, known = (frame.select(columns).to_numpy() for frame in (split.train, split.known(schema.TEST)))
    np.savez(path, train=train, known=known, test_users=split.test[schema.USER], test_items=split.test[schema.ITEM])
    return int(split.train.height)


def _ours(overrides: list[str], comparison: Comparison) -> Seconds:
    from epoch_timer import EpochTimer

    import recsys

    run = recsys.run(overrides)
    comparison.checks["positives of our epoch"] = run.split.train.height
    comparison.checks["our weights"] = sum(weights.numel() for weights in run.model.parameters())
    comparison.checks.setdefault("our test ndcg@10", []).append(round(run.record.metrics["test/ndcg@10"], 4))
    return _seconds(dict.fromkeys(LAYERS, EpochTimer.epochs), run.split.train.height)


def _theirs(settings: dict[str, Any], folder: Path, comparison: Comparison) -> Seconds:
    paths = folder / "split.npz", folder / "lists.npz"
    figures = measured(RECTOOLS.python(), "rival_rectools.py", paths[0], json.dumps(settings), paths[1])
    discounts = 1 / np.log2(np.arange(2, settings["top_k"] + 2))
    for name, of_layers in figures["layers"].items():
        with np.load(paths[0]) as split, np.load(paths[1]) as found:
            hits = found[name] == split["test_items"][:, None]
        ndcg = round(float((hits @ discounts).mean()), 4)
        comparison.checks.setdefault(f"RecTools' test ndcg@10, {name}", []).append(ndcg)
        comparison.checks[f"RecTools' weights, {name}"] = of_layers["weights"]
        comparison.checks["positives of RecTools' epoch"] = of_layers["positives"]
    comparison.versions["RecTools' side"] = figures["versions"]
    epochs = {name: of_layers["epochs"] for name, of_layers in figures["layers"].items()}
    return _seconds(epochs, comparison.checks["positives of RecTools' epoch"])


def _seconds(epochs: dict[str, list[float]], n_positives: int) -> Seconds:
    """Of an epoch, and of 10,000 of its positives, since both sides' epochs have different numbers of them."""
    seconds = {}
    for name, measured_epochs in epochs.items():
        epoch = statistics.median(measured_epochs[1:])
        seconds[f"one epoch, RecTools with {name}"] = epoch
        seconds[f"10,000 positives of an epoch, RecTools with {name}"] = epoch / n_positives * 1e4
    return seconds


if __name__ == "__main__":
    main()
