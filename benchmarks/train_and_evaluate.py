"""Seconds per epoch and per full evaluation, and peak memory, against the same model of RecBole.

Example:
    python benchmarks/train_and_evaluate.py --shape ml-100k
    python benchmarks/train_and_evaluate.py --model lightgcn --shape ml-1m --repeats 3
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import environments
from compared_models import (
    BATCH_SIZE,
    METRICS,
    MODELS,
    Compared,
    our_overrides,
    recbole_options,
    with_histories_of,
)
from harness import Comparison, Seconds, console
from synthetic_log import write_log

from recsys.tracking import environment

EPOCH, EVALUATION, LARGE_EVALUATION = "one epoch", "one evaluation", "one evaluation, RecBole at 512 users a batch"
BARE = "seconds of an epoch of a plain torch loop"
SEED, LARGE_BATCH = 2020, 512
SYNTHETIC = {  # users, items, interactions
    "tiny": (60, 40, 900),
    "ml-1m": (6_040, 3_706, 1_000_000),
    "ml-10m": (69_878, 10_677, 10_000_054),
    "ml-20m": (138_493, 26_744, 20_000_263),
}


@dataclass(frozen=True)
class Plan:
    """How much is timed in a repeat.

    Attributes:
        epochs: The first is a warm-up.
        evaluations: Of RecBole, likewise; ours evaluates after each epoch.
        steps: Of RecBole's epochs and of ours by single sequences, whose seconds are multiplied; None for whole ones.
        our_steps: Of ours otherwise, likewise.
        users: Of RecBole's evaluations, likewise; None for all.
        our_chunks: Chunks of users of ours, likewise.
        history: Items of a history on both sides; None for the model's own.
    """

    epochs: int
    evaluations: int = 5
    steps: int | None = None
    our_steps: int | None = None
    users: int | None = None
    our_chunks: int | None = None
    history: int | None = None


TINY = Plan(epochs=3, evaluations=2, steps=1, our_steps=1, users=30, our_chunks=1)
PLANS = {
    ("bpr", "ml-100k"): Plan(11),
    ("bpr", "ml-1m"): Plan(4),
    ("bpr", "ml-20m"): Plan(3, evaluations=2, steps=200, users=20_000),
    ("lightgcn", "ml-100k"): Plan(6),
    ("lightgcn", "ml-1m"): Plan(3, steps=50),
    ("lightgcn", "ml-20m"): Plan(2, evaluations=2, steps=8, our_steps=16),
    ("neumf", "ml-100k"): Plan(4, evaluations=3),
    ("neumf", "ml-1m"): Plan(3, evaluations=2, steps=100),
    ("neumf", "ml-20m"): Plan(3, evaluations=2, steps=100, our_steps=320, users=1_000, our_chunks=7),
    ("sasrec", "ml-100k"): Plan(3, evaluations=3, steps=5),
    ("sasrec", "ml-1m"): Plan(2, evaluations=2, steps=5),
    # On ML-20M's size RecBole was killed for want of memory (24 GB), with histories of 20 items and of 10.
    ("sasrec", "ml-10m"): Plan(2, evaluations=2, steps=5, our_steps=64, users=5_000, history=10),
    ("multvae", "ml-100k"): Plan(11),
    ("multvae", "ml-1m"): Plan(4),
    ("multvae", "ml-20m"): Plan(3, evaluations=2, steps=32, our_steps=64, users=5_000),
}


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark, print its table and write its figures."""
    arguments = _arguments(argv)
    shape = "tiny" if arguments.tiny else arguments.shape
    rival_is_there = not arguments.tiny or environments.recbole_is_installed()
    if not rival_is_there:
        console.print("RecBole is left out: its environment is not there (a run without --tiny makes it).")
    with tempfile.TemporaryDirectory() as scratch:
        contest = Contest(arguments.model, shape, Path(scratch))
        contest.comparison.run(
            1 if arguments.tiny else arguments.repeats, contest.ours, contest.recbole if rival_is_there else None
        )
    contest.comparison.show()
    if not arguments.tiny:
        contest.comparison.save()


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), default="bpr")
    parser.add_argument("--shape", choices=["ml-100k", "ml-1m", "ml-10m", "ml-20m"], default="ml-100k")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    arguments = parser.parse_args(argv)
    if not arguments.tiny and (arguments.model, arguments.shape) not in PLANS:
        there = ", ".join(model for model, shape in PLANS if shape == arguments.shape)
        parser.error(f"--model {arguments.model} is not compared on {arguments.shape}; expected one of {there}.")
    return arguments


class Contest:
    """Both sides of a comparison.

    Args:
        name: Of the model.
        shape: Of the data.
        scratch: A folder for what is written meanwhile.
    """

    def __init__(self, name: str, shape: str, scratch: Path) -> None:
        self.name, self.shape, self.scratch = name, shape, scratch
        self.model: Compared = MODELS[name]
        self.log = interactions(shape, scratch)
        self.plan = TINY if shape == "tiny" else PLANS[name, shape]
        if self.plan.history is not None:
            self.model = with_histories_of(self.plan.history, self.model)
        self.users_at_once = 1
        settings = {"batch_size": BATCH_SIZE, "learning_rate": self.model.learning_rate, "threads": 1, "seed": SEED}
        self.comparison = Comparison(
            name=f"train_and_evaluate-{name}-{shape}",
            what=f"{self.model.name} on {described(shape)}, leave-last-out, full ranking",
            settings={"model": name, "shape": shape, **asdict(self.plan), **settings}
            | {"ours": self.model.ours, "theirs": self.model.theirs},
            rival_name="RecBole",
            versions=environment.versions(),
        )

    def ours(self) -> Seconds:
        """Our seconds, each way of ours in a process of its own."""
        whole = self._our_run([], self.plan.our_steps)
        self.users_at_once = max(1, round(BATCH_SIZE * whole["train_users"] / whole["train_interactions"]))
        sizes = {name.replace("_", " "): whole[name] for name in ("train_interactions", "test_users")}
        self.comparison.agree("ours", sizes)
        self._note("ours", whole)
        if whole["bare_epoch"]:
            self.comparison.checks.setdefault(BARE, []).append(round(whole["bare_epoch"], 4))
        seconds = {EPOCH: whole["epoch"], EVALUATION: whole["evaluation"], LARGE_EVALUATION: whole["evaluation"]}
        for variant, overrides in self.model.variants.items():
            run = self._our_run([*overrides, "batches.examples_per_loop_step=0"], self.plan.steps)
            self._note(variant, run)
            seconds[f"{EPOCH}, {variant}"] = run["epoch"]
        return seconds

    def recbole(self) -> Seconds:
        """RecBole's seconds."""
        arguments = {
            "task": "time",
            "model": self.model.rival,
            "options": recbole_options(self.model, self.log, SEED, self.users_at_once) | {"epochs": self.plan.epochs},
            "large_batch": LARGE_BATCH,
            **{key: getattr(self.plan, key) for key in ("epochs", "evaluations", "steps", "users")},
        }
        result = rival(arguments)
        sizes = {name.replace("_", " "): result[name] for name in ("train_interactions", "test_users")}
        self.comparison.agree("RecBole", sizes)
        self._note("RecBole", result)
        self.comparison.versions["RecBole's side"] = result["versions"]
        epoch, evaluation = (statistics.median(result[f"{of}_seconds"][1:]) for of in ("epoch", "evaluation"))
        large = statistics.median(result["large_batch_evaluation_seconds"])
        epochs = {f"{EPOCH}, {variant}": epoch for variant in self.model.variants}
        return {EPOCH: epoch, EVALUATION: evaluation, LARGE_EVALUATION: large, **epochs}

    def _our_run(self, variant: list[str], steps: int | None) -> dict[str, Any]:
        chunks = self.plan.our_chunks
        limits = [] if chunks is None else [f"trainer.limit_{stage}_batches={chunks}" for stage in ("val", "test")]
        overrides = [
            *our_overrides(self.model, self.log, self.scratch / "runs", SEED),
            # RecBole is timed without checkpoints and early stopping, so ours come never.
            "+callbacks.checkpoint.every_n_epochs=1000",
            "callbacks.early_stopping.patience=1000",
            f"metrics.val=[{','.join(METRICS)}]",
            f"trainer.max_epochs={self.plan.epochs}",
            *variant,
            *limits,
        ]
        arguments: dict[str, Any] = {
            "overrides": overrides,
            "bare_epochs": self.plan.epochs - 1 if self.name == "bpr" else 0,
            "bare_steps": self.plan.steps,
            "steps": steps,
        }
        if self.shape == "tiny":
            from timed_run import measure

            return measure(**arguments)
        return last_line([sys.executable, str(Path(__file__).with_name("timed_run.py")), json.dumps(arguments)])

    def _note(self, side: str, result: dict[str, Any]) -> None:
        self.comparison.checks[f"{side} test ndcg@10"] = round(result["ndcg@10"], 4)
        self.comparison.checks.setdefault(f"{side} peak memory, MB", []).append(result["peak_mb"])


def interactions(shape: str, scratch: Path) -> Path:
    """The log as RecBole's atomic file, FOLDER/NAME/NAME.inter."""
    if shape in SYNTHETIC:
        name = f"synthetic-{shape}"
        return write_log(scratch / name / f"{name}.inter", *SYNTHETIC[shape])
    environments.recbole_python()
    folder = scratch / shape
    folder.mkdir()
    return Path(shutil.copy(environments.ml_100k() / "ml-100k.inter", folder))


def described(shape: str) -> str:
    """The data in words."""
    if shape not in SYNTHETIC:
        return "the real ML-100K"
    n_users, n_items, n_pairs = SYNTHETIC[shape]
    return f"a synthetic log of {n_users:,} users × {n_items:,} items × {n_pairs:,} interactions"


def rival(arguments: dict[str, Any]) -> dict[str, Any]:
    """What RecBole's side gives."""
    script = Path(__file__).with_name("rival_recbole.py")
    return last_line([str(environments.recbole_python()), str(script), json.dumps(arguments)])


def last_line(command: list[str]) -> dict[str, Any]:
    """The JSON object that a command prints at last.

    Raises:
        RuntimeError: If it fails.
    """
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        killed = "; killed, probably since there was no memory left" if finished.returncode < 0 else ""
        raise RuntimeError(f"{command[1]} failed with {finished.returncode}{killed}:\n{finished.stderr}")
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
