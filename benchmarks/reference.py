"""Test nDCG@10 of our models against the same models of RecBole, on the same split, hyperparameters and seeds.

Both stop early by validation nDCG@10 and are judged by one evaluator, ours, on the scores that each gives. Ours passes
with at least RecBole's mean less two standard errors of the difference.

Example:
    python benchmarks/reference.py
    python benchmarks/reference.py --model sasrec --seeds 3
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import environments
import numpy as np
import polars as pl
from compared_models import BATCH_SIZE, MODELS, Compared, digest, our_overrides, recbole_options
from harness import commit, console, machine
from rich.table import Table
from train_and_evaluate import interactions, rival

from recsys import schema
from recsys.tracking import environment
from recsys.tracking.files import write_atomically

if TYPE_CHECKING:
    from recsys.data.splits.base import Split
    from recsys.runs import Run

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "reference_recbole.json"
MAX_EPOCHS = {"bpr": 200, "lightgcn": 200, "neumf": 100, "sasrec": 6, "multvae": 200}
PATIENCE = 10  # validations without an improvement after which both stop
USERS_AT_ONCE = 64  # in RecBole's evaluations, which changes their speed alone
EVALUATORS_AGREE = 1e-3  # ties are broken otherwise there
FIRST_SEED = 2020


@dataclass
class Side:
    """What one side's runs gave, seed by seed: nDCG@10, epochs, seconds of training and validation until the best."""

    test: list[float]
    validation: list[float]
    best_epoch: list[int]
    seconds_to_best: list[float]

    @property
    def mean(self) -> float:
        """The mean test nDCG@10."""
        return statistics.mean(self.test)

    @property
    def error(self) -> float:
        """Its standard error over seeds; 0 for a single one."""
        return statistics.stdev(self.test) / math.sqrt(len(self.test)) if len(self.test) > 1 else 0.0


def main(argv: list[str] | None = None) -> None:
    """Train all models on both sides, print the table and write it."""
    arguments = _arguments(argv)
    if arguments.tiny and not environments.recbole_is_installed():
        console.print("RecBole is left out: its environment is not there (a run without --tiny makes it).")
    rows = {}
    for name in arguments.model:
        with tempfile.TemporaryDirectory() as scratch:
            rows[name] = compare(name, 1 if arguments.tiny else arguments.seeds, arguments.tiny, Path(scratch))
        if not arguments.tiny:
            _save({name: rows[name]})
    console.print(table(rows))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), nargs="+", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    return parser.parse_args(argv)


def compare(name: str, n_seeds: int, tiny: bool, scratch: Path) -> dict[str, Any]:
    """Train a model on both sides with each seed.

    Raises:
        RuntimeError: If the sides have other parts, or their evaluators disagree.
    """
    model, epochs = MODELS[name], 2 if tiny else MAX_EPOCHS[name]
    log = untied(interactions("tiny" if tiny else "ml-100k", scratch))
    ours, theirs = Side([], [], [], []), Side([], [], [], [])
    facts: dict[str, Any] = {"model": model.name, "learning_rate": model.learning_rate, "max_epochs": epochs}
    facts |= {"ours": [*model.ours, *model.quicker[0]], "theirs": model.theirs | model.quicker[1]}
    for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
        run = _our_run(model, log, scratch / "runs", epochs, seed, ours)
        console.print(f"{name}, seed {seed}: ours {ours.test[-1]:.4f}, epoch {ours.best_epoch[-1]}", style="dim")
        if not tiny or environments.recbole_is_installed():
            facts["rival_versions"] = _recbole_run(model, log, epochs, seed, theirs, run)
            console.print(f"{name}, seed {seed}: RecBole {theirs.test[-1]:.4f}, {theirs.best_epoch[-1]}", style="dim")
    return {**facts, "sides": {"ours": ours, "RecBole": theirs}}


def untied(log: Path) -> Path:
    """The log with other times: each user's interactions are numbered, equal times in random order.

    No time is left to ties, so that both sides cut the log at the same places.
    """
    lines = pl.read_csv(log, separator="\t", infer_schema=False).sample(fraction=1, shuffle=True, seed=0)
    columns = user, _, time = "user_id:token", "item_id:token", "timestamp:float"
    ordered = lines.select(columns).sort(user, pl.col(time).cast(pl.Float64), maintain_order=True)
    numbered = ordered.with_columns(pl.int_range(pl.len()).over(user).alias(time))
    folder = log.parent.with_name(f"untied-{log.stem}")
    folder.mkdir()
    path = folder / f"{folder.name}.inter"
    numbered.write_csv(path, separator="\t")
    return path


def _our_run(model: Compared, log: Path, runs: Path, epochs: int, seed: int, side: Side) -> Run:
    from epoch_timer import EpochTimer

    import recsys

    overrides = [
        *our_overrides(model, log, runs, seed),
        *model.quicker[0],
        f"trainer.max_epochs={epochs}",
        f"callbacks.early_stopping.patience={PATIENCE}",
        "+callbacks.epoch_timer._target_=epoch_timer.EpochTimer",
        "metrics.val=[ndcg@10]",
    ]
    run = recsys.run(overrides)
    curve = [epoch["val/ndcg@10"] for epoch in run.record.curve]
    best = int(np.argmax(curve))
    side.test.append(run.record.metrics["test/ndcg@10"])
    side.validation.append(curve[best])
    side.best_epoch.append(best)
    side.seconds_to_best.append(sum(EpochTimer.epochs[: best + 1]) + sum(EpochTimer.validations[: best + 1]))
    return run


def _recbole_run(model: Compared, log: Path, epochs: int, seed: int, side: Side, run: Run) -> dict[str, str]:
    split = run.split
    users_at_once = max(1, round(BATCH_SIZE * int(split.warm_users.sum()) / split.train.height))
    options = recbole_options(model, log, seed, users_at_once) | model.quicker[1]
    early = {"valid_metric": "NDCG@10", "stopping_step": PATIENCE - 1, "epochs": epochs}
    batch = {"eval_batch_size": USERS_AT_ONCE * (split.dataset.n_items + 1)}
    scores = log.parent / "scores.npz"
    arguments = {"task": "train", "model": model.rival, "options": options | early | batch, "scores": str(scores)}
    result = rival(arguments)
    parts = {"validation": _pairs(split, split.validation), "test": _pairs(split, split.test)}
    if result["parts"] != parts or result["train_interactions"] != split.train.height:
        raise RuntimeError(f"RecBole's parts are others than ours: {result['parts']}, {parts}.")
    judged = judge(scores, split)
    if abs(judged - result["test"]) > EVALUATORS_AGREE:
        raise RuntimeError(
            f"RecBole's scores have an nDCG@10 of {judged} by our evaluator, {result['test']} by its own."
        )
    side.test.append(judged)
    for name in ("validation", "best_epoch", "seconds_to_best"):
        getattr(side, name).append(result[name])
    return dict(result["versions"])


def _pairs(split: Split, part: pl.DataFrame) -> str:
    users, items = _raw(split, part)
    return digest(zip(users, items, strict=True))


def _raw(split: Split, part: pl.DataFrame) -> tuple[list[str], list[str]]:
    users = split.dataset.users[schema.USER_ID].gather(part[schema.USER])
    return users.to_list(), split.dataset.items[schema.ITEM_ID].gather(part[schema.ITEM]).to_list()


def judge(path: Path, split: Split) -> float:
    """The test nDCG@10 of saved scores by our evaluator, where no known item is recommended.

    Args:
        path: A file of `scores` (users, items) and the raw ids of their `users` and `items`.
        split: What is known, and what is to be found.
    """
    import torch

    from recsys.metrics.functional import ndcg
    from recsys.metrics.ranked import RankedBatch, RankingRules

    saved = np.load(path)
    row = {user: number for number, user in enumerate(saved["users"].tolist())}
    column = {item: number for number, item in enumerate(saved["items"].tolist())}
    scores = torch.from_numpy(saved["scores"]).clone()
    positives = torch.zeros(scores.shape, dtype=torch.bool)
    for part, table_, value in ((split.known(schema.TEST), scores, -math.inf), (split.test, positives, True)):
        pairs = [(row[user], column[item]) for user, item in zip(*_raw(split, part), strict=True) if user in row]
        rows, columns = torch.tensor(pairs).T
        table_[rows, columns] = value
    batch = RankedBatch.rank(scores, positives, torch.arange(len(scores)), None, RankingRules(10))
    return float(ndcg(batch.hits, batch.n_positives, 10).mean())


def table(rows: dict[str, dict[str, Any]]) -> Table:
    """The verdicts."""
    shown = Table(title=f"Test nDCG@10, mean ± standard error over seeds, commit {commit()}", title_justify="left")
    for column in ("model", "ours", "RecBole", "verdict", "seconds to the best validation\nours", "\nRecBole"):
        shown.add_column(column, justify="left" if column in ("model", "verdict") else "right")
    for name, row in rows.items():
        ours, theirs = row["sides"].values()
        sides = (f"{side.mean:.4f} ± {side.error:.4f}" if side.test else "skipped" for side in (ours, theirs))
        seconds = (f"{statistics.mean(side.seconds_to_best):.1f}" if side.test else "" for side in (ours, theirs))
        shown.add_row(name, *sides, verdict(ours, theirs), *seconds)
    return shown


def verdict(ours: Side, theirs: Side) -> str:
    """Whether ours has at least RecBole's mean less two standard errors of the difference."""
    if not theirs.test:
        return ""
    return "reached" if ours.mean >= theirs.mean - 2 * math.hypot(ours.error, theirs.error) else "short"


def _save(rows: dict[str, dict[str, Any]]) -> None:
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, row in rows.items():
        ours, theirs = row.pop("sides").values()
        described = {
            key: {**asdict(side), "mean": side.mean, "standard_error": side.error}
            for key, side in {"ours": ours, "RecBole": theirs}.items()
        }
        kept[name] = {
            **row,
            "verdict": verdict(ours, theirs),
            "test_ndcg@10": described,
            "command": f"python benchmarks/reference.py --model {name} --seeds {len(ours.test)}",
            "commit": commit(),
            "versions": environment.versions(),
            "machine": machine(),
        }
        row["sides"] = {"ours": ours, "RecBole": theirs}
    write_atomically(RESULTS, (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
