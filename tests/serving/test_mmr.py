"""Maximal marginal relevance, against the definition written out, and what it does to lists."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

import recsys
from recsys.commands.recommend import run as recommend_command
from recsys.schema import ConfigError
from recsys.serving.mmr import check_mmr, diverse
from recsys.serving.model import serve
from recsys.serving.ranking import rank
from recsys.serving.users import known_users


def by_definition(vectors: np.ndarray, items: list[int], scores: list[float], top_k: int, mmr: float) -> list[int]:
    """One user's list, item after item."""
    low, high = min(scores), max(scores)
    relevance = {item: (score - low) / (high - low) for item, score in zip(items, scores, strict=True)}
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen: list[int] = []
    while len(chosen) < min(top_k, len(items)):
        left = [item for item in items if item not in chosen]
        alike = {item: max((unit[item] @ unit[one] for one in chosen), default=0.0) for item in left}
        chosen.append(max(left, key=lambda item: (1 - mmr) * relevance[item] - mmr * alike[item]))
    return chosen


@pytest.mark.parametrize("mmr", [0.3, 1.0])
def test_lists_are_those_of_the_definition(served, mmr):
    pool = rank(served, known_users(served), 30)
    found = diverse(served, pool, 10, mmr)
    for user in (0, 7, 41):
        items, scores = pool.items[user].tolist(), pool.scores[user].tolist()
        assert found.items[user].tolist() == by_definition(served.item_vectors.numpy(), items, scores, 10, mmr)
        assert found.scores[user].tolist() == [scores[items.index(item)] for item in found.items[user].tolist()]


def test_without_mmr_nothing_changes_and_the_more_of_it_the_more_diverse(served):
    pool = rank(served, known_users(served), 50)
    lists = [diverse(served, pool, 10, mmr) for mmr in (0.0, 0.3, 0.7)]
    assert torch.equal(lists[0].items, pool.items[:, :10])
    assert torch.equal(lists[0].scores, pool.scores[:, :10])
    assert all(torch.equal(each.items[:, 0], pool.items[:, 0]) for each in lists)
    diversity = [mean_distance(served.item_vectors[each.items].numpy()) for each in lists]
    assert diversity[0] < diversity[1] < diversity[2]


def mean_distance(vectors):
    """1 minus the mean cosine of all pairs of items of a list; vectors (U, N, dim)."""
    vectors = vectors / np.linalg.norm(vectors, axis=2, keepdims=True)
    n = vectors.shape[1]
    cosines = np.einsum("uid,ujd->uij", vectors, vectors)[:, ~np.eye(n, dtype=bool)]
    return 1 - cosines.mean()


def test_short_pools_end_where_they_do(served):
    allowed = np.zeros(served.items.height, dtype=bool)
    allowed[:6] = True
    pool = rank(served, known_users(served), 20, allowed)
    found = diverse(served, pool, 10, 0.5)
    for before, after in zip(pool.items.tolist(), found.items.tolist(), strict=True):
        n = sum(item >= 0 for item in before)
        assert sorted(after[:n]) == sorted(before[:n])
        assert after[n:] == [-1] * (10 - n)


def test_the_command_chooses_out_of_the_pool(dot_run, tmp_path):
    path = tmp_path / "recs.parquet"
    overrides = [f"run={dot_run.folder}", "users=all", "top_k=5", "mmr=0.5", "mmr_pool=20", f"output={path}"]
    recommend_command(recsys.compose(overrides, "recommend"))
    served = serve(dot_run)
    expected = diverse(served, rank(served, known_users(served), 20), 5, 0.5)
    assert (
        pl.read_parquet(path)["item_id"].to_list() == served.items["item_id"].gather(expected.items.flatten()).to_list()
    )


def test_items_without_vectors_are_refused(run_of):
    served = serve(run_of("ranker=ease"))
    check_mmr(served, 0)
    with pytest.raises(ConfigError, match="those of ranker=ease encoder=none have none"):
        check_mmr(served, 0.1)
