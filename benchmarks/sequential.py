"""Test nDCG@10 and seconds per epoch of `experiment=esasrec` and `hstu` against the same models of RecTools.

Both sides have the same split of the embedded MovieLens data, sizes, loss, negatives and learning rate, and train on
about the same number of positives. Nothing is tuned. Ours passes with at least RecTools' mean less two standard errors
of the difference.

Example:
    python benchmarks/sequential.py
    python benchmarks/sequential.py --models hstu --seeds 3 --epochs 4
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from environments import RECTOOLS
from harness import Comparison, Seconds, console
from rival_process import measured
from sasrec import write_split
from synthetic_log import write_log

from recsys.tracking import environment

MODELS = ("esasrec", "hstu")
SETTINGS: dict[str, Any] = {
    "dim": 64,
    "n_layers": 2,
    "n_heads": 2,
    "dropout": 0.2,
    "max_history": 50,
    "n_negatives": 64,
    "learning_rate": 0.001,
    "positives of our batch": 1024,
    "sequences of RecTools' batch": 24,  # about as many positives
    "top_k": 10,
    "threads": 1,
}
TINY = (60, 40, 900)  # users, items, interactions


def main(argv: list[str] | None = None) -> None:
    """Run both sides for each model and seed, print the tables and write the figures."""
    arguments = _arguments(argv)
    rival_is_there = not arguments.tiny or RECTOOLS.is_installed()
    if not rival_is_there:
        console.print("RecTools is left out: its environment is not there (a run without --tiny makes it).")
    for model in arguments.models:
        settings = {**SETTINGS, "epochs": 1 if arguments.tiny else arguments.epochs, "model": model}
        comparison = Comparison(
            name=f"sequential-{model}-rectools",
            what=f"{model} on {'a toy log' if arguments.tiny else 'the embedded MovieLens data'}, leave-last-out",
            settings=settings,
            rival_name="RecTools",
            versions=environment.versions(),
        )
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            overrides = _overrides(settings, folder, arguments.tiny)
            comparison.checks["positives of our epoch"] = write_split(overrides, folder / "split.npz")
            _compare(comparison, overrides, folder, 1 if arguments.tiny else arguments.seeds, rival_is_there)
        comparison.show()
        if not arguments.tiny:
            comparison.save()


def verdict(ours: list[float], theirs: list[float]) -> str:
    """Whether our mean over seeds is at least RecTools' less two standard errors of the difference."""
    errors = [statistics.stdev(side) / math.sqrt(len(side)) if len(side) > 1 else 0.0 for side in (ours, theirs)]
    reached = statistics.mean(ours) >= statistics.mean(theirs) - 2 * math.hypot(*errors)
    return "reached" if reached else "short"


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5, help="of ours; RecTools has as many positives in all")
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    return parser.parse_args(argv)


def _overrides(settings: dict[str, Any], folder: Path, tiny: bool) -> list[str]:
    log = write_log(folder / "tiny.inter", *TINY) if tiny else None
    table = ["data=table", f"data.path={folder}", f"data.interactions.file={log.name}"] if log else []
    return [
        f"experiment={settings['model']}",
        *([*table, "data.interactions.timestamp=timestamp"] if table else ["data=movielens_small"]),
        "split=leave_last_out",
        "optimizer=adam",
        "optimizer.weight_decay=0.0",
        "logger=none",
        # Both train for a fixed number of epochs and test the last weights.
        "+callbacks.checkpoint.every_n_epochs=1000",
        "callbacks.early_stopping.patience=1000",
        "+callbacks.epoch_timer._target_=epoch_timer.EpochTimer",
        f"features.dim={settings['dim']}",
        *(f"profile.{key}={settings[key]}" for key in ("n_layers", "n_heads", "dropout")),
        f"profile.max_positions={settings['max_history']}",
        f"batches.max_history={settings['max_history']}",
        f"batches.batch_size={settings['positives of our batch']}",
        f"negatives.n_negatives={settings['n_negatives']}",
        f"learning_rate={settings['learning_rate']}",
        f"metrics.val=[ndcg@{settings['top_k']}]",
        f"num_threads={settings['threads']}",
        f"trainer.max_epochs={settings['epochs']}",
        "test_knowledge=train",
        "trainer.enable_progress_bar=false",
        f"paths.runs_dir={folder / 'runs'}",
        f"paths.cache_dir={folder / 'cache'}",
    ]


def _compare(comparison: Comparison, overrides: list[str], folder: Path, n_seeds: int, rival_is_there: bool) -> None:
    seeds = {"ours": iter(range(n_seeds)), "RecTools": iter(range(n_seeds))}
    ours = partial(_ours, comparison, overrides, seeds["ours"])
    comparison.run(n_seeds, ours, partial(_theirs, comparison, folder, seeds["RecTools"]) if rival_is_there else None)
    found = comparison.checks
    for name, values in found.items():
        if name.startswith("RecTools' test"):
            comparison.checks = {**comparison.checks, f"verdict, {name}": verdict(found["our test ndcg@10"], values)}


def _ours(comparison: Comparison, overrides: list[str], seeds: Any) -> Seconds:
    from epoch_timer import EpochTimer

    import recsys

    run = recsys.run([*overrides, f"seed={next(seeds)}"])
    comparison.checks["our weights"] = sum(weights.numel() for weights in run.model.parameters())
    comparison.checks.setdefault("our test ndcg@10", []).append(run.record.metrics["test/ndcg@10"])
    return _seconds(EpochTimer.epochs, comparison.checks["positives of our epoch"])


def _theirs(comparison: Comparison, folder: Path, seeds: Any) -> Seconds:
    positives = comparison.checks["positives of our epoch"] * comparison.settings["epochs"]
    settings = {**comparison.settings, "seed": next(seeds), "positives": positives}
    paths = folder / "split.npz", folder / "lists.npz"
    figures = measured(RECTOOLS.python(), "rival_sequential.py", paths[0], json.dumps(settings), paths[1])
    discounts = 1 / np.log2(np.arange(2, settings["top_k"] + 2))
    for name, variant in figures["variants"].items():
        with np.load(paths[0]) as split, np.load(paths[1]) as found:
            hits = found[name] == split["test_items"][:, None]
        comparison.checks.setdefault(f"RecTools' test ndcg@10, {name}", []).append(float((hits @ discounts).mean()))
        comparison.checks[f"RecTools' weights, {name}"] = variant["weights"]
        comparison.checks["RecTools' epochs"] = variant["n_epochs"]
        comparison.checks["positives of RecTools' epoch"] = variant["positives"]
    comparison.versions["RecTools' side"] = figures["versions"]
    first = next(iter(figures["variants"].values()))
    return _seconds(first["epochs"], first["positives"])


def _seconds(epochs: list[float], n_positives: int) -> Seconds:
    """Seconds of an epoch without the first, and of 10,000 of its positives."""
    epoch = statistics.median(epochs[1:] or epochs)
    return {"one epoch": epoch, "10,000 positives of an epoch": epoch / n_positives * 1e4}


if __name__ == "__main__":
    main()
