"""Hand-made runs for the tests of reports."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from recsys.tracking.record import FAILED, Record
from recsys.tracking.store import Store

LOWER = ("gini", "average_popularity")  # as the metrics of these names declare
PROTOCOL = {
    "data": {"name": "toy", "fingerprint": "d1"},
    "split": {"name": "random", "fingerprint": "s1"},
    "candidates": "all",
}


def made_run(
    store: Store,
    encoder: str,
    ranker: str,
    seed: int,
    values: Sequence[float],
    *,
    config: dict[str, Any] | None = None,
    users: Sequence[str] | None = None,
    history: Sequence[int] | None = None,
    **changes: Any,
) -> Record:
    """A finished run with these values of ndcg@10 for its queries, and twice them of recall@10, saved."""
    name = ranker if encoder == "none" else f"{encoder}+{ranker}"
    settings = {"seed": seed, "encoder": {"_target_": encoder}, "ranker": {"_target_": ranker}, **(config or {})}
    column = np.asarray(values, dtype=np.float64)
    mean = float(np.nanmean(column))
    fields: dict[str, Any] = {
        "run_id": hashlib.sha256(repr((settings, changes.get("protocol"))).encode()).hexdigest()[:12],
        "name": name,
        "choices": {"data": "toy", "encoder": encoder, "ranker": ranker},
        "config": settings,
        "overrides": [f"encoder={encoder}", f"ranker={ranker}", f"seed={seed}"],
        "seed": seed,
        "protocol": PROTOCOL,
        "times": {"encode": 2.0 if seed == 0 else 0.1, "fit": 10.0, "test": 0.5},
        "epochs": 4 + seed,
        "peak_memory_mb": 500.0 + seed,
        "parameters": {"trainable": 12_345, "total": 22_700_000},
        "metrics": {
            "test/ndcg@10": mean,
            "test/recall@10": 2 * mean,
            "test/coverage@10": 0.25,
            "val/ndcg@10": mean + 0.1,
        },
        "segments": {
            "items=cold": {"ndcg@10": mean / 2, "n_queries": 2.0},
            "items=head": {"ndcg@10": mean, "n_queries": 4.0},
        },
        **changes,
    }
    names = {name.rsplit("/", 1)[-1] for name in fields["metrics"]}
    fields.setdefault("directions", {name: name.partition("@")[0] not in LOWER for name in names})
    fields.setdefault("ranges", {name: [0.0, None if name.startswith("average") else 1.0] for name in names})
    record = Record(**fields)
    n = len(column)
    keys = {
        "query": list(range(n)),
        "user": list(users) if users else [f"u{row}" for row in range(n)],
        "n_history": list(history) if history else [row + 1 for row in range(n)],
        "n_positives": [1] * n,
    }
    store.save(record, pl.DataFrame({**keys, "ndcg@10": column, "recall@10": 2 * column}))
    return record


def failed_run(store: Store, encoder: str, ranker: str, seed: int) -> Record:
    """A failed run, saved."""
    error = "Traceback (most recent call last):\n  File …\nRuntimeError: out of memory"
    return made_run(store, encoder, ranker, seed, [0.0, 0.0], status=FAILED, error=error, metrics={})


def small_study(store: Store) -> list[Record]:
    """Three cells on four users and two seeds; means by hand: bert+dot 5/8, tfidf+dot 1/2, popularity 1/4."""
    return [
        made_run(store, "bert", "dot", 0, [1.0, 0.5, 0.5, 0.5]),
        made_run(store, "bert", "dot", 1, [1.0, 1.0, 0.5, 0.0]),
        made_run(store, "tfidf", "dot", 0, [0.5, 0.5, 0.5, 0.5]),
        made_run(store, "tfidf", "dot", 1, [1.0, 0.5, 0.25, 0.25]),
        made_run(store, "none", "popularity", 0, [0.5, 0.25, 0.25, 0.0]),
        made_run(store, "none", "popularity", 1, [0.5, 0.25, 0.25, 0.0]),
    ]
