"""Seconds per epoch of `ranker=cf loss=bpr`, and of one full evaluation, against RecBole's BPR.

Example:
    python benchmarks/train_and_evaluate.py --shape ml-100k
    python benchmarks/train_and_evaluate.py --shape ml-1m --repeats 3
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import environments
import polars as pl
from harness import Comparison, Seconds, console
from synthetic_log import write_log

from recsys.tracking import environment

EPOCH, EVALUATION, LARGE_EVALUATION = "one epoch", "one evaluation", "one evaluation, RecBole at 512 users a batch"
BARE = "seconds of an epoch of a plain torch loop"
SETTINGS: dict[str, Any] = {"dim": 64, "batch_size": 2048, "learning_rate": 0.001, "threads": 1, "seed": 2020}
METRICS = ["ndcg@10", "recall@10", "mrr@10", "hit_rate@10", "precision@10"]  # RecBole's default
N_EVALUATIONS = 5
SYNTHETIC = {"tiny": (60, 40, 900), "ml-1m": (6040, 3706, 1_000_000)}  # users, items, interactions
EPOCHS = {"tiny": 3, "ml-100k": 11, "ml-1m": 4}  # the first is a warm-up


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures."""
    arguments = _arguments(argv)
    shape = "tiny" if arguments.tiny else arguments.shape
    with tempfile.TemporaryDirectory() as scratch:
        rival_is_there = not arguments.tiny or environments.recbole_is_installed()
        if not rival_is_there:
            console.print("RecBole is left out: its environment is not there (a run without --tiny makes it).")
        log = _interactions(shape, Path(scratch))
        comparison = _comparison(shape)
        comparison.run(
            1 if arguments.tiny else arguments.repeats,
            lambda: _ours(log, shape, Path(scratch) / "runs", comparison),
            (lambda: _recbole(log, shape, comparison)) if rival_is_there else None,
        )
    comparison.show()
    if not arguments.tiny:
        comparison.save()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=["ml-100k", "ml-1m"], default="ml-100k")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    return parser.parse_args(argv)


def _comparison(shape: str) -> Comparison:
    data = "the real ML-100K"
    if shape in SYNTHETIC:
        n_users, n_items, n_pairs = SYNTHETIC[shape]
        data = f"a synthetic log of {n_users:,} users × {n_items:,} items × {n_pairs:,} interactions"
    return Comparison(
        name=f"train_and_evaluate-{shape}",
        what=f"Matrix factorisation with BPR on {data}, leave-last-out, full ranking",
        settings={"shape": shape, "epochs": EPOCHS[shape], **SETTINGS},
        rival_name="RecBole",
        versions=environment.versions(),
    )


def _interactions(shape: str, scratch: Path) -> Path:
    """The log as RecBole's atomic file, FOLDER/NAME/NAME.inter."""
    if shape in SYNTHETIC:
        name = f"synthetic-{shape}"
        return write_log(scratch / name / f"{name}.inter", *SYNTHETIC[shape])
    environments.recbole_python()
    folder = scratch / shape
    folder.mkdir()
    return Path(shutil.copy(environments.ml_100k() / "ml-100k.inter", folder))


def _ours(log: Path, shape: str, runs: Path, comparison: Comparison) -> Seconds:
    from epoch_timer import EpochTimer

    import recsys

    run = recsys.run(_overrides(log, shape, runs))
    sizes = {"train interactions": run.split.train.height, "test users": run.split.test.height}
    comparison.agree("ours", sizes)
    comparison.checks["ours test ndcg@10"] = round(run.record.metrics["test/ndcg@10"], 4)
    comparison.checks.setdefault(BARE, []).append(round(_bare_epoch(run.split.train, EPOCHS[shape] - 1), 4))
    evaluation = statistics.median(EpochTimer.validations[1:])
    return {
        EPOCH: statistics.median(EpochTimer.epochs[1:]),
        EVALUATION: evaluation,
        LARGE_EVALUATION: evaluation,
    }


def _bare_epoch(train: pl.DataFrame, epochs: int) -> float:
    import torch
    from bare_torch import epoch_seconds

    users, items = (torch.tensor(train[column].to_numpy()).long() for column in ("user", "item"))
    return epoch_seconds(users, items, SETTINGS["dim"], SETTINGS["batch_size"], epochs)


def _overrides(log: Path, shape: str, runs: Path) -> list[str]:
    return [
        "data=table",
        f"data.path={log.parent}",
        f"data.interactions.file={log.name}",
        "data.interactions.timestamp=timestamp",
        "split=leave_last_out",
        "encoder=none",
        "ranker=cf",
        "loss=bpr",
        "negatives=uniform",
        "negatives.n_negatives=1",
        "optimizer.weight_decay=0.0",
        "optimizer=adam",
        "logger=none",
        # RecBole is timed without checkpoints and early stopping, so ours come never.
        "+callbacks.checkpoint.every_n_epochs=1000",
        "callbacks.early_stopping.patience=1000",
        "+callbacks.epoch_timer._target_=epoch_timer.EpochTimer",
        f"metrics.val=[{','.join(METRICS)}]",
        f"features.dim={SETTINGS['dim']}",
        f"batches.batch_size={SETTINGS['batch_size']}",
        f"learning_rate={SETTINGS['learning_rate']}",
        f"num_threads={SETTINGS['threads']}",
        f"seed={SETTINGS['seed']}",
        f"trainer.max_epochs={EPOCHS[shape]}",
        "trainer.enable_progress_bar=false",
        f"paths.runs_dir={runs}",
        f"paths.cache_dir={runs.parent / 'cache'}",
        "rerun=true",
    ]


def _recbole(log: Path, shape: str, comparison: Comparison) -> Seconds:
    options = {"folder": log.parent.parent, "name": log.stem, "epochs": EPOCHS[shape], "evaluations": N_EVALUATIONS}
    command = [str(environments.recbole_python()), str(Path(__file__).with_name("rival_recbole.py"))]
    for key, value in {**options, **SETTINGS}.items():
        command += [f"--{key.replace('_', '-')}", str(value)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"RecBole failed:\n{finished.stderr}")
    return _recbole_seconds(json.loads(finished.stdout.splitlines()[-1]), comparison)


def _recbole_seconds(result: dict[str, Any], comparison: Comparison) -> Seconds:
    comparison.checks["RecBole test ndcg@10"] = result["ndcg@10"]
    sizes = {"train interactions": result["train_interactions"], "test users": result["test_users"]}
    comparison.agree("RecBole", sizes)
    comparison.versions["RecBole's side"] = result["versions"]
    return {
        EPOCH: statistics.median(result["epoch_seconds"][1:]),
        EVALUATION: statistics.median(result["evaluation_seconds"]),
        LARGE_EVALUATION: statistics.median(result["large_batch_evaluation_seconds"]),
    }


if __name__ == "__main__":
    main()
