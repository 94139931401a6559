"""Test nDCG@10 of our models against the same models of RecBole, on the same split, hyperparameters and seeds.

Both stop early by validation nDCG@10 and are judged by one evaluator, ours, on the scores that each gives. Ours passes
with at least RecBole's mean less two standard errors of the difference.

Example:
    python benchmarks/reference.py
    python benchmarks/reference.py --model sasrec --seeds 3
    python benchmarks/reference.py --model bpr --ours    # RecBole's figures are those of docs/results
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import environments
import numpy as np
import polars as pl
from compared_models import BATCH_SIZE, MODELS, digest, our_overrides, recbole_options
from harness import commit, console, machine
from rich.table import Table
from train_and_evaluate import interactions, rival

from recsys import schema
from recsys.support.whole_files import OUTPUT, write_atomically
from recsys.tracking import environment

if TYPE_CHECKING:
    from recsys.data.splits.split import Split
    from recsys.experiment.finished import Run

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "reference_recbole.json"
MAX_EPOCHS = {"bpr": 200, "lightgcn": 200, "neumf": 100, "sasrec": 6, "multvae": 200}
PATIENCE = 10  # validations without an improvement after which both stop
USERS_AT_ONCE = 64  # in RecBole's evaluations, which changes their speed alone
EVALUATORS_AGREE = 1e-3  # ties are broken otherwise there
FIRST_SEED = 2020


@dataclass
class Side:
    """What one side's runs gave, seed by seed: nDCG@10, epochs, seconds of training and validation until the best."""

    test: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: list[int] = field(default_factory=list)
    seconds_to_best: list[float] = field(default_factory=list)

    def add(self, test: float, validation: float, best_epoch: int, seconds_to_best: float) -> None:
        """Keep a run."""
        self.test.append(test)
        self.validation.append(validation)
        self.best_epoch.append(best_epoch)
        self.seconds_to_best.append(seconds_to_best)

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
    tiny, with_rival = arguments.tiny, not arguments.ours
    if tiny and not environments.recbole_is_installed():
        console.print("RecBole is left out: its environment is not there (a run without --tiny makes it).")
        with_rival = False
    rows = {}
    for name in arguments.model:
        with tempfile.TemporaryDirectory() as scratch:
            match = Match(name, tiny, Path(scratch))
            match.run(range(FIRST_SEED, FIRST_SEED + (1 if tiny else arguments.seeds)), with_rival)
        if not with_rival and not tiny:
            match.take_rival(json.loads(RESULTS.read_text())[name])
        if not tiny:
            _save(match)
        rows[name] = match
    console.print(table(rows))


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), nargs="+", default=list(MODELS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ours", action="store_true", help="train ours alone; RecBole's figures are the latest")
    parser.add_argument("--tiny", action="store_true", help="a few seconds on toy data, to see that it runs")
    return parser.parse_args(argv)


class Match:
    """A model on both sides.

    Args:
        name: Of the model.
        tiny: Whether it is toy data.
        scratch: A folder for what is written meanwhile.
    """

    def __init__(self, name: str, tiny: bool, scratch: Path) -> None:
        self.name, self.model, self.scratch = name, MODELS[name], scratch
        self.epochs = 2 if tiny else MAX_EPOCHS[name]
        self.log = untied(interactions("tiny" if tiny else "ml-100k", scratch))
        further = {} if tiny else self.model.further
        self.runs = {"ours": self.model.quicker[0], **further}
        self.ours, self.theirs = {kind: Side() for kind in self.runs}, Side()
        self.facts: dict[str, Any] = {
            "model": self.model.name,
            "theirs": self.model.theirs | self.model.quicker[1],
            "learning_rate": self.model.learning_rate,
            "max_epochs": self.epochs,
        }
        self.rival_versions: dict[str, str] = {}

    def run(self, seeds: Iterable[int], with_rival: bool) -> None:
        """Train with each seed.

        Raises:
            RuntimeError: If the sides have other parts, or their evaluators disagree.
        """
        for seed in seeds:
            for kind, overrides in self.runs.items():
                run = self._our_run(overrides, seed, self.ours[kind])
                self._tell(seed, kind, self.ours[kind])
            if with_rival:
                self._recbole_run(seed, run)
                self._tell(seed, "RecBole", self.theirs)

    def take_rival(self, earlier: dict[str, Any]) -> None:
        """Compare with RecBole's figures of an earlier result.

        Raises:
            RuntimeError: If they are of other settings.
        """
        if {key: earlier[key] for key in self.facts} != self.facts:
            raise RuntimeError(f"RecBole's figures of {self.name} are of other settings: run without --ours.")
        kept = earlier["test_ndcg@10"]["RecBole"]
        self.theirs = Side(**{each.name: kept[each.name] for each in fields(Side)})
        self.rival_versions = earlier["rival_versions"]

    def _tell(self, seed: int, kind: str, side: Side) -> None:
        console.print(f"{self.name}, seed {seed}: {kind} {side.test[-1]:.4f}, epoch {side.best_epoch[-1]}", style="dim")

    def _our_run(self, overrides: list[str], seed: int, side: Side) -> Run:
        from epoch_timer import EpochTimer

        import recsys

        run = recsys.run(
            [
                *our_overrides(self.model, self.log, self.scratch / "runs", seed),
                f"trainer.max_epochs={self.epochs}",
                *overrides,
                f"callbacks.early_stopping.patience={PATIENCE}",
                "+callbacks.epoch_timer._target_=epoch_timer.EpochTimer",
                "metrics.val=[ndcg@10]",
            ]
        )
        curve = [epoch["val/ndcg@10"] for epoch in run.record.curve]
        best = int(np.argmax(curve))
        seconds = sum(EpochTimer.epochs[: best + 1]) + sum(EpochTimer.validations[: best + 1])
        side.add(run.record.metrics["test/ndcg@10"], curve[best], best, seconds)
        return run

    def _recbole_run(self, seed: int, run: Run) -> None:
        split = run.split
        users_at_once = max(1, round(BATCH_SIZE * int(split.warm_users.sum()) / split.train.height))
        options = recbole_options(self.model, self.log, seed, users_at_once) | self.model.quicker[1]
        early = {"valid_metric": "NDCG@10", "stopping_step": PATIENCE - 1, "epochs": self.epochs}
        batch = {"eval_batch_size": USERS_AT_ONCE * (split.dataset.n_items + 1)}
        scores = self.scratch / "scores.npz"
        arguments = {"task": "train", "model": self.model.rival, "options": options | early | batch}
        result = rival({**arguments, "scores": str(scores)})
        parts = {"validation": _pairs(split, split.validation), "test": _pairs(split, split.test)}
        if result["parts"] != parts or result["train_interactions"] != split.train.height:
            raise RuntimeError(f"RecBole's parts are others than ours: {result['parts']}, {parts}.")
        judged, told = judge(scores, split), result["test"]
        if abs(judged - told) > EVALUATORS_AGREE:
            raise RuntimeError(f"RecBole's scores have an nDCG@10 of {judged} by our evaluator, {told} by its own.")
        self.theirs.add(judged, result["validation"], result["best_epoch"], result["seconds_to_best"])
        self.rival_versions = result["versions"]


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
    for part, target, value in ((split.known(schema.TEST), scores, -math.inf), (split.test, positives, True)):
        pairs = [(row[user], column[item]) for user, item in zip(*_raw(split, part), strict=True) if user in row]
        rows, columns = torch.tensor(pairs).T
        target[rows, columns] = value
    batch = RankedBatch.rank(scores, positives, torch.arange(len(scores)), None, RankingRules(10))
    return float(ndcg(batch.hits, batch.n_positives, 10).mean())


def table(rows: dict[str, Match]) -> Table:
    """The verdicts."""
    shown = Table(title=f"Test nDCG@10, mean ± standard error over seeds, commit {commit()}", title_justify="left")
    for column in ("model", "run", "test nDCG@10", "verdict", "seconds to the best validation"):
        shown.add_column(column, justify="left" if column in ("model", "run", "verdict") else "right")
    for name, row in rows.items():
        for kind, side in {**row.ours, "RecBole": row.theirs}.items():
            if side.test:
                said = "" if kind == "RecBole" else verdict(side, row.theirs)
                cells = (f"{side.mean:.4f} ± {side.error:.4f}", said, f"{statistics.mean(side.seconds_to_best):.1f}")
                shown.add_row(name, kind, *cells)
    return shown


def verdict(ours: Side, theirs: Side) -> str:
    """Whether ours has at least RecBole's mean less two standard errors of the difference."""
    if not theirs.test:
        return ""
    return "reached" if ours.mean >= theirs.mean - 2 * math.hypot(ours.error, theirs.error) else "short"


def _save(match: Match) -> None:
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    kept[match.name] = {
        **match.facts,
        "ours": {kind: [*match.model.ours, *overrides] for kind, overrides in match.runs.items()},
        "verdict": {kind: verdict(side, match.theirs) for kind, side in match.ours.items()},
        "test_ndcg@10": {
            kind: {**asdict(side), "mean": side.mean, "standard_error": side.error}
            for kind, side in {**match.ours, "RecBole": match.theirs}.items()
        },
        "command": f"python benchmarks/reference.py --model {match.name}",
        "commit": commit(),
        "versions": environment.versions(),
        "rival_versions": match.rival_versions,
        "machine": machine(),
    }
    write_atomically(RESULTS, (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode(), OUTPUT)


if __name__ == "__main__":
    main()
