"""Models learn what is there to learn, and popularity is what a plain reading of its definition gives."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from full import only_full

import recsys
from recsys import schema
from recsys.data.ragged import ItemLists


def run(cache_dir, store, *overrides):
    return recsys.run(
        [*overrides, "trainer.enable_progress_bar=false", f"paths.cache_dir={cache_dir}", f"paths.runs_dir={store}"]
    )


@pytest.fixture(scope="module")
def floor(cache_dir, tmp_path_factory):
    """nDCG@10 of popularity on the data with planted topics."""
    store = tmp_path_factory.mktemp("learning")
    return run(cache_dir, store, "data=synthetic", "ranker=popularity").record.metrics["test/ndcg@10"]


@pytest.mark.slow
@pytest.mark.parametrize("ranker", ["dot", *(pytest.param(ranker, marks=only_full) for ranker in ("cf", "mlp"))])
def test_topics_that_drive_preferences_are_learnt_from_text(ranker, floor, cache_dir, tmp_path):
    learnt = run(cache_dir, tmp_path, "data=synthetic", "encoder=tfidf", f"ranker={ranker}", "trainer.max_epochs=15")
    assert learnt.record.metrics["test/ndcg@10"] > 1.2 * floor


def test_popularity_on_the_embedded_data_equals_a_plain_reading(cache_dir, tmp_path):
    made = run(cache_dir, tmp_path, "ranker=popularity")
    split = made.split
    known, targets = split.known(schema.TEST), split.test
    n_users = split.dataset.n_users
    seen = ItemLists.from_pairs(known["user"].to_numpy(), known["item"].to_numpy(), n_users)
    wanted = ItemLists.from_pairs(targets["user"].to_numpy(), targets["item"].to_numpy(), n_users)
    # Equal counts are drawn at random here and by a hash there, so both are means over what ties may do.
    rng = np.random.default_rng(0)
    values = []
    for user in range(n_users):
        score = split.item_counts + rng.random(split.dataset.n_items) / 2
        score[seen[user]] = -1
        hits = np.isin(np.argsort(-score)[:10], wanted[user])
        discount = 1 / np.log2(np.arange(2, 12))
        values.append((hits * discount).sum() / discount[: min(10, len(wanted[user]))].sum())
    assert made.record.metrics["test/ndcg@10"] == pytest.approx(np.mean(values), abs=0.002)


def test_a_solved_ranker_sees_whole_histories_and_is_solved_on_train_alone(small_data, cache_dir, tmp_path):
    settings = ["ranker=ease", "ranker.regularization=50", "batches.max_history=1", "test_knowledge=refit"]
    made = run(cache_dir, tmp_path, *small_data, *settings)
    split = made.split
    train, known, wanted = (_ones(split, part) for part in (split.train, split.known(schema.TEST), split.test))
    inverse = np.linalg.inv(train.T @ train + 50 * np.eye(train.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    best = np.argsort(-np.where(known > 0, -np.inf, known @ weights), axis=1)[:, :10]
    discount = 1 / np.log2(np.arange(2, 12))
    n_wanted = wanted.sum(axis=1).astype(int)
    gains = np.take_along_axis(wanted, best, axis=1) @ discount
    ideal = np.array([discount[: min(10, n)].sum() for n in n_wanted])
    expected = (gains[n_wanted > 0] / ideal[n_wanted > 0]).mean()
    assert made.record.metrics["test/ndcg@10"] == pytest.approx(expected, abs=1e-4)
    assert made.record.times["fit"] > 0
    user = split.dataset.users["user_id"][0]
    first = recsys.recommend(made, user, top_k=1)
    assert first["score"][0] == pytest.approx(np.where(known[0] > 0, -np.inf, known[0] @ weights).max(), abs=1e-5)


def _ones(split, frame):
    ones = np.zeros((split.dataset.n_users, split.dataset.n_items))
    ones[frame["user"].to_numpy(), frame["item"].to_numpy()] = 1
    return ones


ML_100K = os.environ.get("RECSYS_ML100K", "")
RANDOM = ["split=random", "split.validation_share=0"]
BPR = ["encoder=none", "ranker=cf", "loss=bpr", "negatives.n_negatives=16", "batches.batch_size=1024"]
TO_THE_END = ["callbacks=none", "optimizer.weight_decay=0.3", "trainer.max_epochs=18"]
ANCHORS = [
    ([*RANDOM, "ranker=popularity"], 0.21, 0.23),
    ([*RANDOM, *BPR, *TO_THE_END], 0.40, 0.46),
    (["split=leave_last_out", "ranker=popularity"], 0.028, 0.048),
    (["split=leave_last_out", *BPR], 0.049, 0.10),
    (["split=leave_last_out", "ranker=itemknn"], 0.055, 0.075),
    (["split=leave_last_out", "ranker=ease"], 0.060, 0.095),
]


@pytest.mark.skipif(not ML_100K, reason="RECSYS_ML100K names no folder with RecBole's ml-100k.inter")
@pytest.mark.parametrize(("overrides", "low", "high"), ANCHORS)
def test_published_figures_of_ml_100k_are_met(overrides, low, high, cache_dir, tmp_path):
    data = ["data=table", f"data.path={Path(ML_100K)}", "data.interactions.file=ml-100k.inter"]
    columns = ["data.interactions.rating=rating", "data.interactions.timestamp=timestamp"]
    made = run(cache_dir, tmp_path, *data, *columns, *overrides)
    assert low <= made.record.metrics["test/ndcg@10"] <= high
