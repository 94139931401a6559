"""Times implicit's or LensKit's classic models and prints one JSON line; started by classics.py."""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

K = 10
N_FACTORS, N_NEIGHBORS, ALPHA, REGULARIZATION, SEED = 64, 100, 10.0, 10.0, 0
ALS_FIT, ALS_TOP = "als: fit", f"als: top {K} of all users"
KNN_FIT, KNN_TOP = "itemknn: fit", f"itemknn: top {K} of all users"
CG_FIT = "als: fit, implicit's default (approximate: 3 conjugate gradients)"
KNOWN_TOP = f"als: top {K} of all users, implicit by the users' factors of its fit"
BPR_EPOCH = "bpr: an epoch"
BPR_EPOCHS = 5


@dataclass(frozen=True)
class Log:
    """Distinct (user, item) pairs, all of which are trained on.

    Attributes:
        users: (n,) the user of each pair.
        items: (n,) its item.
        sizes: (2,) numbers of users and items.
        n_iterations: Of ALS.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    sizes: NDArray[np.int64]
    n_iterations: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> Log:
        """What `write` wrote."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in cls.__annotations__})

    def write(self, path: Path) -> None:
        """Write all arrays to one file."""
        np.savez(path, **vars(self))


FEW = Log(np.arange(40) // 4, np.arange(40) % 9, np.array([10, 9]), np.array(1))  # for a warm-up of all sides


def implicit(log: Log, tasks: list[str], results: Path) -> dict[str, float]:
    """Seconds by task; factors, similarities and lists of items go to `results`."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    warnings.simplefilter("ignore")
    matrix = csr_matrix((np.ones(len(log.users), dtype=np.float32), (log.users, log.items)), shape=tuple(log.sizes))
    shared: dict[str, Any] = {"num_threads": 1, "factors": N_FACTORS, "random_state": SEED}
    als = {**shared, "alpha": ALPHA, "regularization": REGULARIZATION, "iterations": int(log.n_iterations)}
    models = {
        ALS_FIT: AlternatingLeastSquares(use_cg=False, **als),
        CG_FIT: AlternatingLeastSquares(**als),
        KNN_FIT: CosineRecommender(K=N_NEIGHBORS + 1, num_threads=1),  # implicit counts the item itself
        BPR_EPOCH: BayesianPersonalizedRanking(iterations=BPR_EPOCHS, **shared),
    }
    tops = {ALS_TOP: (ALS_FIT, True), KNOWN_TOP: (ALS_FIT, False), KNN_TOP: (KNN_FIT, False)}
    seconds, lists = {}, {}
    with threadpool_limits(1):
        for task, model in models.items():
            if task in tasks:
                seconds[task] = _seconds(partial(model.fit, matrix, show_progress=False))[0]
        for task, (fit, folds_in) in tops.items():
            if task in tasks:
                recommend = partial(models[fit].recommend, np.arange(matrix.shape[0]), matrix, N=K)
                seconds[task], found = _seconds(partial(recommend, recalculate_user=folds_in))
                lists[task] = found[0]
    if BPR_EPOCH in seconds:
        seconds[BPR_EPOCH] /= BPR_EPOCHS
    similarity = models[KNN_FIT].similarity.tocsr()
    similarity.setdiag(0)
    np.savez(results, factors=models[ALS_FIT].item_factors, similarity=sorted_rows(similarity), **lists)
    return seconds


def lenskit(log: Log, tasks: list[str], results: Path) -> dict[str, float]:
    """Seconds by task; similarities go to `results`."""
    from lenskit import batch
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.knn import ItemKNNScorer
    from lenskit.pipeline import topn_pipeline
    from lenskit.training import TrainingOptions
    from pandas import DataFrame

    warnings.simplefilter("ignore")
    data = from_interactions_df(DataFrame({"user_id": log.users, "item_id": log.items}))
    als = ImplicitMFScorer(
        embedding_size=N_FACTORS,
        epochs=int(log.n_iterations),
        weight=ALPHA - 1,
        regularization=REGULARIZATION,
        user_embeddings="prefer",
    )
    knn = ItemKNNScorer(feedback="implicit", save_nbrs=N_NEIGHBORS, max_nbrs=10**6)
    seconds = {}
    for scorer, fit, top in ((als, ALS_FIT, ALS_TOP), (knn, KNN_FIT, KNN_TOP)):
        pipeline = topn_pipeline(scorer, n=K)
        if fit in tasks:
            seconds[fit] = _seconds(partial(scorer.train, data, TrainingOptions(rng=SEED)))[0]
        if top in tasks:
            pipeline.train(data, TrainingOptions(retrain=False))
            seconds[top] = _seconds(partial(batch.recommend, pipeline, data.users.ids(), n=K, n_jobs=1))[0]
    np.savez(results, similarity=sorted_rows(knn.sim_matrix.to_scipy().tocsr()))
    return seconds


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def sorted_rows(matrix: Any) -> NDArray[np.float32]:
    """(n_rows, N_NEIGHBORS) each row's largest entries, largest first: ties between neighbours are left open."""
    rows = np.zeros((matrix.shape[0], N_NEIGHBORS), dtype=np.float32)
    for row, (start, end) in enumerate(zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)):
        values = np.sort(matrix.data[start:end])[::-1][:N_NEIGHBORS]
        rows[row, : len(values)] = values
    return rows


def main(rival: str, log: str, tasks: str, results: str) -> None:
    """Measure a rival, after a warm-up on a few pairs."""
    measure = {"implicit": implicit, "lenskit": lenskit}[rival]
    chosen, whole = json.loads(tasks), Log.read(Path(log))
    measure(FEW, chosen, Path(results))
    seconds = measure(whole, chosen, Path(results))
    print(json.dumps({"seconds": seconds, "version": importlib.metadata.version(rival)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
