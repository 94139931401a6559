"""Ranking metrics of another library for given lists, in its own environment, as one JSON line; see parity.py."""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10
Lists = dict[str, NDArray[np.int64]]  # `users`, `items`, `ranks`; `test_users`, `test_items`; `n_items`


def ranx(lists: Lists) -> dict[str, float]:
    """With its defaults; `make_comparable` gives users without a list an empty one."""
    from ranx import Qrels, Run, evaluate

    names = {"precision": "precision", "recall": "recall", "hit_rate": "hit_rate", "mrr": "mrr", "map": "map"}
    names["ndcg"] = "ndcg"
    run = _nested(lists["users"], lists["items"], 1 / lists["ranks"])
    relevant = _nested(lists["test_users"], lists["test_items"], np.ones(len(lists["test_users"]), dtype=int))
    found = evaluate(Qrels(relevant), Run(run), [f"{name}@{K}" for name in names.values()], make_comparable=True)
    return {ours: float(found[f"{name}@{K}"]) for ours, name in names.items()}


def _nested(users: NDArray[Any], items: NDArray[Any], values: NDArray[Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for user, item, value in zip(map(str, users.tolist()), map(str, items.tolist()), values.tolist(), strict=True):
        nested.setdefault(user, {})[item] = value
    return nested


def rectools(lists: Lists) -> dict[str, float]:
    """With its defaults."""
    from pandas import DataFrame
    from rectools.metrics import MAP, MRR, NDCG, CatalogCoverage, HitRate, Precision, Recall, calc_metrics

    listed = DataFrame({"user_id": lists["users"], "item_id": lists["items"], "rank": lists["ranks"]})
    relevant = DataFrame({"user_id": lists["test_users"], "item_id": lists["test_items"]})
    metrics = {"precision": Precision(K), "recall": Recall(K), "hit_rate": HitRate(K), "mrr": MRR(K), "map": MAP(K)}
    metrics |= {"ndcg": NDCG(K), "coverage": CatalogCoverage(K, normalize=True)}
    catalogue = list(range(int(lists["n_items"])))
    return {name: float(value) for name, value in calc_metrics(metrics, listed, relevant, catalog=catalogue).items()}


def lenskit(lists: Lists) -> dict[str, float]:
    """With its defaults."""
    from lenskit.data import ItemListCollection, UserIDKey
    from lenskit.metrics import NDCG, Hit, Precision, Recall, RecipRank, RunAnalysis
    from lenskit.metrics.ranking import AveragePrecision
    from pandas import DataFrame

    columns = {"user_id": lists["users"], "item_id": lists["items"], "score": 1 / lists["ranks"]}
    frames = [DataFrame({**columns, "rank": lists["ranks"]})]
    frames.append(DataFrame({"user_id": lists["test_users"], "item_id": lists["test_items"]}))
    listed, relevant = (ItemListCollection.from_df(frame, UserIDKey) for frame in frames)
    metrics = {"precision": Precision, "recall": Recall, "hit_rate": Hit, "mrr": RecipRank, "map": AveragePrecision}
    analysis = RunAnalysis()
    for name, metric in {**metrics, "ndcg": NDCG}.items():
        analysis.add_metric(metric(K), name)
    means = analysis.measure(listed, relevant).list_summary()["mean"]
    return {name: float(means[name]) for name in [*metrics, "ndcg"]}


def recbole(lists: Lists) -> dict[str, float]:
    """Its metrics of hits and numbers of relevant items; its evaluator always has a full list for each user."""
    import torch
    from recbole.evaluator import metrics

    vars(np)["float"] = np.float64  # as RecBole's own configuration sets it
    users = np.unique(lists["test_users"])
    row, place = np.searchsorted(users, lists["users"]), lists["ranks"] - 1
    relevant = set(zip(lists["test_users"].tolist(), lists["test_items"].tolist(), strict=True))
    pairs = zip(lists["users"].tolist(), lists["items"].tolist(), strict=True)
    hits = np.zeros((len(users), K + 1), dtype=np.int64)
    hits[row, place] = [pair in relevant for pair in pairs]
    hits[:, K] = np.bincount(np.searchsorted(users, lists["test_users"]))
    listed = np.zeros((len(users), K), dtype=np.int64)  # 0 is RecBole's padding
    listed[row, place] = lists["items"] + 1
    content: dict[str, Any] = {"rec.topk": torch.from_numpy(hits), "rec.items": torch.from_numpy(listed)}
    content["data.num_items"] = int(lists["n_items"]) + 1
    names = {"precision": "Precision", "recall": "Recall", "hit_rate": "Hit", "mrr": "MRR", "map": "MAP"}
    names |= {"ndcg": "NDCG", "coverage": "ItemCoverage"}
    config = {"topk": [K], "metric_decimal_place": 10}
    found: dict[str, float] = {}
    for ours, theirs in names.items():
        found[ours] = float(next(iter(getattr(metrics, theirs)(config).calculate_metric(content).values())))
    return found


RIVALS: dict[str, Callable[[Lists], dict[str, float]]] = {
    "rectools": rectools,
    "lenskit": lenskit,
    "ranx": ranx,
    "recbole": recbole,
}


def main(rival: str, path: str) -> None:
    """Measure the lists of a file."""
    with np.load(Path(path)) as arrays:
        lists = {name: arrays[name] for name in arrays.files}
    print(json.dumps({"means": RIVALS[rival](lists), "version": importlib.metadata.version(rival)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
