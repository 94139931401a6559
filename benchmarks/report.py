"""Seconds from the records of 200 runs to their HTML report: `python benchmarks/report.py [n_runs [n_seeds]]`.

The runs are made up: 671 users, two metrics per user, a curve of 30 epochs each. With `200 1` each cell has one
seed, and there are the most pairs of cells.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recsys.reports.comparison import compare
from recsys.reports.report import write_report
from recsys.tracking.record import Record
from recsys.tracking.store import Store

N_USERS, N_EPOCHS, TARGET_SECONDS = 671, 30, 10.0
ENCODERS, RANKERS = ("bert", "tfidf", "gpt2", "none"), ("dot", "mlp", "cf")


def make_runs(store: Store, n_runs: int, n_seeds: int) -> None:
    """Save runs of n_runs / n_seeds cells."""
    generator = np.random.default_rng(0)
    ease = generator.beta(0.8, 3.0, N_USERS)
    for place in range(n_runs):
        cell, seed = divmod(place, n_seeds)
        level = 0.3 + 0.7 * np.sin(cell + 1) ** 2
        values = np.clip(ease * level + 0.02 * generator.standard_normal(N_USERS), 0, 1)
        store.save(_record(cell, seed, float(values.mean())), _per_user(values))


def _record(cell: int, seed: int, mean: float) -> Record:
    encoder, ranker = ENCODERS[cell % len(ENCODERS)], RANKERS[cell % len(RANKERS)]
    config: dict[str, Any] = {"seed": seed, "encoder": encoder, "ranker": ranker, "learning_rate": 0.001 * (cell + 1)}
    curve = [
        {"epoch": float(e), "train/loss": 1 / (e + 1), "val/ndcg@10": mean * e / N_EPOCHS} for e in range(N_EPOCHS)
    ]
    return Record(
        run_id=f"a{cell:05d}{seed:06d}",
        name=f"{encoder}+{ranker}",
        choices={"data": "made", "encoder": encoder, "ranker": ranker},
        config=config,
        overrides=[f"encoder={encoder}", f"ranker={ranker}", f"learning_rate={0.001 * (cell + 1)}", f"seed={seed}"],
        seed=seed,
        protocol={"data": "made", "split": "made"},
        data_statistics={"users": N_USERS},
        times={"encode": 2.0, "fit": 5.0 + cell, "test": 0.5},
        epochs=N_EPOCHS,
        peak_memory_mb=500.0 + cell,
        parameters={"trainable": 10_000 + cell, "total": 20_000_000},
        curve=curve,
        metrics={"test/ndcg@10": mean, "test/recall@10": 2 * mean, "test/coverage@10": 0.1 + 0.001 * cell},
        segments={f"items={name}": {"ndcg@10": mean, "n_queries": 100.0} for name in ("cold", "tail", "head")},
    )


def _per_user(values: Any) -> pl.DataFrame:
    users = [f"u{place}" for place in range(N_USERS)]
    keys = {"query": range(N_USERS), "user": users, "n_history": range(1, N_USERS + 1), "n_positives": [1] * N_USERS}
    return pl.DataFrame({**keys, "ndcg@10": values, "recall@10": 2 * values})


def main(n_runs: int = 200, n_seeds: int = 2) -> None:
    """Print seconds of each step, and the page's size."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        make_runs(store, n_runs, n_seeds)
        start = time.perf_counter()
        records = store.records()
        read = time.perf_counter()
        baseline = records[0].run_id
        comparison = compare(records, store, baseline, ["ndcg@10", "recall@10", "coverage@10"])
        compared = time.perf_counter()
        path = write_report(comparison, Path(folder) / "report", "Made runs", None, ["html"])["html"]
        end = time.perf_counter()
        size = path.stat().st_size / 1e6
    print(f"{len(records)} records of {len(comparison.rows)} cells, {N_USERS} users")
    print(f"read {read - start:.2f} s, compare {compared - read:.2f} s, report.html {end - compared:.2f} s")
    print(f"report.html has {size:.1f} MB")
    print(f"together {end - start:.2f} s (target: under {TARGET_SECONDS:.0f} s for 200 runs)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
