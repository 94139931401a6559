"""Times another library's ranking metrics in its own environment and prints one JSON line; see ranking_metrics.py."""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10
NAMES = ("ndcg", "recall", "mrr", "hit_rate", "precision", "map")
WARM_UP = 100  # users


@dataclass(frozen=True)
class Inputs:
    """Ranked lists `listed` (U, K) and relevant pairs `users` (P,), `items` (P,)."""

    listed: NDArray[np.int64]
    users: NDArray[np.int64]
    items: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> Inputs:
        """What `write` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["listed"], arrays["users"], arrays["items"])

    def write(self, path: Path) -> None:
        """Write all arrays to one file."""
        np.savez(path, listed=self.listed, users=self.users, items=self.items)

    def first(self, n: int) -> Inputs:
        """The first users alone."""
        kept = self.users < n
        return Inputs(self.listed[:n], self.users[kept], self.items[kept])

    @property
    def listed_users(self) -> NDArray[np.int64]:
        """(U·K,) the user of each listed item."""
        return np.repeat(np.arange(len(self.listed)), self.listed.shape[1])

    @property
    def scores(self) -> NDArray[np.float64]:
        """(U·K,) 1 / rank."""
        return np.tile(1 / np.arange(1.0, self.listed.shape[1] + 1), len(self.listed))


def for_ranx(inputs: Inputs) -> Any:
    """Judgements and run."""
    from ranx import Qrels, Run

    relevant = _nested(inputs.users, inputs.items, np.ones(len(inputs.users), dtype=int))
    return Qrels(relevant), Run(_nested(inputs.listed_users, inputs.listed.ravel(), inputs.scores))


def _nested(users: NDArray[np.int64], items: NDArray[np.int64], values: NDArray[Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for user, item, value in zip(map(str, users.tolist()), map(str, items.tolist()), values.tolist(), strict=True):
        nested.setdefault(user, {})[item] = value
    return nested


def ranx(prepared: Any) -> dict[str, float]:
    """Means by name."""
    from ranx import evaluate

    values = evaluate(*prepared, [f"{name}@{K}" for name in NAMES], save_results_in_run=False, threads=1)
    return {name: float(values[f"{name}@{K}"]) for name in NAMES}


def for_torchmetrics(inputs: Inputs) -> Any:
    """Scores, relevance and users of the lists and, behind them, of the relevant items that they lack."""
    import torch

    n_items = int(max(inputs.listed.max(), inputs.items.max())) + 1
    listed = inputs.listed_users * n_items + inputs.listed.ravel()
    relevant = inputs.users * n_items + inputs.items
    missing = np.setdiff1d(relevant, listed, assume_unique=True)
    scores = np.append(inputs.scores, np.zeros(len(missing))).astype(np.float32)
    relevance = np.append(np.isin(listed, relevant), np.ones(len(missing), dtype=bool))
    users = np.append(inputs.listed_users, missing // n_items)
    return tuple(map(torch.from_numpy, (scores, relevance, users)))


def torchmetrics(prepared: Any) -> dict[str, float]:
    """Means by name. Its average precision is over the relevant items of the list, not over all, so it is left out."""
    from torchmetrics import MetricCollection, retrieval

    chosen: dict[str, Any] = {
        "ndcg": retrieval.RetrievalNormalizedDCG(top_k=K),
        "recall": retrieval.RetrievalRecall(top_k=K),
        "mrr": retrieval.RetrievalMRR(top_k=K),
        "hit_rate": retrieval.RetrievalHitRate(top_k=K),
        "precision": retrieval.RetrievalPrecision(top_k=K),
    }
    metrics = MetricCollection(chosen)
    scores, relevance, users = prepared
    metrics.update(scores, relevance, indexes=users)
    return {name: float(value) for name, value in metrics.compute().items()}


def for_rectools(inputs: Inputs) -> Any:
    """Recommendations and interactions."""
    from pandas import DataFrame

    ranks = np.tile(np.arange(1, inputs.listed.shape[1] + 1), len(inputs.listed))
    listed = {"user_id": inputs.listed_users, "item_id": inputs.listed.ravel(), "rank": ranks}
    return DataFrame(listed), DataFrame({"user_id": inputs.users, "item_id": inputs.items})


def rectools(prepared: Any) -> dict[str, float]:
    """Means by name."""
    from rectools.metrics import MAP, MRR, NDCG, HitRate, Precision, Recall, calc_metrics

    metrics = {
        "ndcg": NDCG(K, divide_by_achievable=True),
        "recall": Recall(K),
        "mrr": MRR(K),
        "hit_rate": HitRate(K),
        "precision": Precision(K),
        "map": MAP(K),
    }
    return dict(calc_metrics(metrics, *prepared))


def for_lenskit(inputs: Inputs) -> Any:
    """Recommended and relevant items."""
    from lenskit.data import ItemListCollection, UserIDKey
    from pandas import DataFrame

    listed = {"user_id": inputs.listed_users, "item_id": inputs.listed.ravel(), "score": inputs.scores}
    ranks = {"rank": np.tile(np.arange(1, inputs.listed.shape[1] + 1), len(inputs.listed))}
    relevant = DataFrame({"user_id": inputs.users, "item_id": inputs.items})
    return tuple(ItemListCollection.from_df(frame, UserIDKey) for frame in (DataFrame({**listed, **ranks}), relevant))


def lenskit(prepared: Any) -> dict[str, float]:
    """Means by name.

    Its nDCG counts the first two ranks alike, and its recall and average precision are over the relevant items or the
    list, whichever is shorter, so these three are left out.
    """
    from lenskit.metrics import Hit, Precision, RecipRank, RunAnalysis

    metrics = {"mrr": RecipRank(K), "hit_rate": Hit(K), "precision": Precision(K)}
    analysis = RunAnalysis()
    for name, metric in metrics.items():
        analysis.add_metric(metric, name)
    means = analysis.measure(*prepared).list_summary()["mean"]
    return {name: float(means[name]) for name in metrics}


@dataclass(frozen=True)
class Rival:
    """A library: what makes its own form of the inputs, what makes means of that, and the metrics that equal ours."""

    prepare: Callable[[Inputs], Any]
    evaluate: Callable[[Any], dict[str, float]]
    names: tuple[str, ...]


RIVALS = {
    "ranx": Rival(for_ranx, ranx, NAMES),
    "torchmetrics": Rival(for_torchmetrics, torchmetrics, NAMES[:-1]),
    "rectools": Rival(for_rectools, rectools, NAMES),
    "lenskit": Rival(for_lenskit, lenskit, NAMES[2:5]),
}


def main(rival: str, path: str) -> None:
    """Measure a rival, after a warm-up that compiles what it compiles."""
    library, inputs = RIVALS[rival], Inputs.read(Path(path))
    library.evaluate(library.prepare(inputs.first(WARM_UP)))
    start = time.perf_counter()
    prepared = library.prepare(inputs)
    between = time.perf_counter()
    means = library.evaluate(prepared)
    end = time.perf_counter()
    version = importlib.metadata.version(rival)
    print(json.dumps({"prepare": between - start, "evaluate": end - between, "means": means, "version": version}))


if __name__ == "__main__":
    main(*sys.argv[1:])
