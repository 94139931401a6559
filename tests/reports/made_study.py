"""A made-up study for the tests of whole reports: an ablation with seeds, curves, segments and tuned cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from reports.made_runs import made_run

from recsys.tracking.record import Record
from recsys.tracking.store import Store
from recsys.tracking.study_record import BASE, BASELINE, CHANGE, FINISHED, GRID, PRUNED, StudyCell, StudyRecord, Trial

METRICS = ["ndcg@10", "recall@10", "coverage@10"]
DATA = {
    "users": 671,
    "items": 9066,
    "interactions": 100_004,
    "density": 0.0164,
    "dropped": {"duplicates": 0},
    "from": "1995-01-09",
    "until": "2016-10-16",
    "parts": {
        "train": {"interactions": 80_000, "users": 671, "items": 8100, "cold_users": 0.0, "cold_items": 0.0},
        "test": {"interactions": 10_000, "users": 671, "items": 3100, "cold_users": 0.0, "cold_items": 0.08},
    },
}


@dataclass(frozen=True)
class MadeCell:
    """A cell: its choices, its kind in the study, how good it is, and seconds of training."""

    label: str
    encoder: str
    ranker: str
    kind: str
    quality: float
    seconds: float
    tuned: bool = False


CELLS = (
    MadeCell("popularity", "none", "popularity", BASELINE, 0.060, 0.0),
    MadeCell("bert+dot", "bert", "dot", BASE, 0.118, 95.0, tuned=True),
    MadeCell("bert+dot without history", "bert", "last", CHANGE, 0.092, 80.0),
    MadeCell("bert+dot (cosine=false)", "bert", "inner", CHANGE, 0.117, 94.0),
    MadeCell("random vectors", "random", "dot", CHANGE, 0.075, 60.0),
    MadeCell("tfidf+dot", "tfidf", "dot", GRID, 0.112, 12.0, tuned=True),
    MadeCell("tfidf+mlp (learning_rate=0.01)", "tfidf", "mlp", GRID, 0.100, 31.0),
    MadeCell("gpt2+dot", "gpt2", "dot", GRID, 0.110, 140.0),
    MadeCell("cf", "none", "cf", GRID, 0.105, 20.0),
)


def made_study(store: Store, n_seeds: int = 3, n_users: int = 671) -> tuple[StudyRecord, list[Record]]:
    """The study's record and its runs, all saved."""
    generator = np.random.default_rng(0)
    ease = generator.beta(0.8, 3.0, n_users)
    cells, records = [], []
    for place, cell in enumerate(CELLS):
        own = [_run(store, cell, place, seed, ease, generator) for seed in range(n_seeds)]
        records += own
        trials = list(_trials(cell, generator)) if cell.tuned else []
        best = max((trial for trial in trials if trial.state == FINISHED), key=lambda t: t.value or 0.0, default=None)
        runs = {str(record.seed): record.run_id for record in own}
        parameters = best.parameters if best else {}
        cells.append(StudyCell(cell.label, cell.kind, [f"ranker={cell.ranker}"], runs, parameters, trials))
    command = "recsys study study=made"
    search = {"n_trials": 30, "sampler": "tpe"}
    study = StudyRecord("made", command, list(range(n_seeds)), METRICS, "popularity", "val/ndcg@10", search, cells)
    study.write(store.root)
    return study, records


def _run(store: Store, cell: MadeCell, place: int, seed: int, ease: Any, generator: np.random.Generator) -> Record:
    level = cell.quality * (1 + 0.02 * generator.standard_normal())
    values = np.clip(ease * level / ease.mean() + 0.03 * generator.standard_normal(len(ease)), 0, 1)
    mean = float(values.mean())
    lengths = generator.integers(1, 200, len(ease)) if seed < 0 else (np.arange(len(ease)) * 7) % 190 + 1
    return made_run(
        store,
        cell.encoder,
        cell.ranker,
        seed,
        values.tolist(),
        history=lengths.tolist(),
        times={"data": 1.0, "encode": 20.0 if cell.encoder == "bert" else 1.0, "fit": cell.seconds, "test": 0.8},
        peak_memory_mb=400.0 + 60 * place,
        metrics={
            "test/ndcg@10": mean,
            "test/recall@10": 2 * mean,
            "test/coverage@10": 0.05 + 0.05 * place + 0.01 * seed,
            "test/novelty@10": 6.0 + 0.4 * place,
            "test/diversity@10": 0.8 - 0.02 * place,
            "test/average_popularity@10": 200.0 - 15 * place,
            "test/gini@10": 0.98 - 0.03 * place,
            "val/ndcg@10": mean + 0.01,
        },
        segments={
            f"items={name}": {"ndcg@10": mean * share, "n_queries": float(n)}
            for name, share, n in (
                ("cold", 0.02 if cell.encoder == "none" else 0.4, 55),
                ("tail", 0.5, 310),
                ("torso", 0.8, 440),
                ("head", 1.2, 610),
            )
        },
        curve=list(_curve(mean, cell.seconds, generator)),
        data_statistics=DATA,
        versions={"python": "3.11.2", "torch": "2.13.0"},
        git={"commit": "0123abc", "dirty": False},
        tags=["made"],
    )


def _curve(mean: float, seconds: float, generator: np.random.Generator) -> Iterator[dict[str, float]]:
    for epoch in range(12 if seconds else 0):
        progress = 1 - np.exp(-(epoch + 1) / 3)
        noise = 0.002 * generator.standard_normal()
        yield {"epoch": float(epoch), "train/loss": 0.7 - 0.3 * progress, "val/ndcg@10": mean * progress + noise}


def _trials(cell: MadeCell, generator: np.random.Generator) -> Iterator[Trial]:
    for number in range(30):
        rate, dim = float(10 ** generator.uniform(-4, -1)), int(generator.choice([32, 64, 128, 256]))
        loss = str(generator.choice(["bce", "bpr", "full_softmax"]))
        value = cell.quality * (1 - 0.15 * abs(np.log10(rate) + 2.5)) + 0.004 * (loss == "full_softmax")
        state = PRUNED if number % 7 == 6 else FINISHED
        parameters = {"optimizer.lr": rate, "ranker.dim": dim, "loss": loss}
        yield Trial(number, parameters, state, float(value) * (0.7 if state == PRUNED else 1.0), None, 12.0 + number)
