import numpy as np
import pytest
import torch

from recsys.metrics.hashing import pair_hash
from recsys.metrics.topk import LONG, rank_items, top_values
from recsys.schema import RecsysError


def tied_scores(n_queries=50, n_items=40, n_levels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(n_levels, (n_queries, n_items), generator=generator).float()
    scores[torch.rand(n_queries, n_items, generator=generator) < 0.1] = -torch.inf
    return scores, torch.arange(n_queries) * 3 + 1


def by_full_sort(scores, k, query, seed):
    """The same ranking from its definition: sort whole rows by score, then by hash."""
    hashes = pair_hash(query.unsqueeze(1), torch.arange(scores.shape[1]), seed).numpy()
    order = np.lexsort((hashes, -scores.numpy()))[:, :k]
    order[np.take_along_axis(scores.numpy(), order, axis=1) == -np.inf] = -1
    return np.pad(order, ((0, 0), (0, k - order.shape[1])), constant_values=-1)


@pytest.mark.parametrize("k", [1, 5, 39, 40, 41, 60])
@pytest.mark.parametrize("n_levels", [1, 2, 6, 30, 10**6])
def test_ranking_is_the_full_sort_by_score_and_hash(k, n_levels):
    scores, query = tied_scores(n_levels=n_levels)
    assert rank_items(scores, k, query, seed=3).tolist() == by_full_sort(scores, k, query, 3).tolist()


def test_chunks_change_nothing():
    scores, query = tied_scores()
    whole = rank_items(scores, 10, query, seed=0)
    parts = [rank_items(scores[i : i + 7], 10, query[i : i + 7], seed=0) for i in range(0, 50, 7)]
    assert torch.equal(torch.cat(parts), whole)


def test_order_of_columns_changes_nothing():
    scores, query = tied_scores()
    generator = torch.Generator().manual_seed(1)
    items = torch.rand(scores.shape, generator=generator).argsort(dim=1)
    columns = rank_items(scores.gather(1, items), 10, query, seed=0, items=items)
    found = items.gather(1, columns.clamp(min=0)).masked_fill(columns < 0, -1)
    assert torch.equal(found, rank_items(scores, 10, query, seed=0))


def test_another_seed_is_another_order_of_ties_only():
    scores, query = torch.zeros(30, 20), torch.arange(30)
    scores[:, 4] = 1.0
    one, two = rank_items(scores, 10, query, seed=0), rank_items(scores, 10, query, seed=1)
    assert one[:, 0].tolist() == two[:, 0].tolist() == [4] * 30
    assert not torch.equal(one, two)


@pytest.mark.parametrize("column", [0, 17, 39])
def test_a_constant_scorer_lands_at_chance_wherever_the_positive_stands(column):
    n_queries, n_items, k = 20_000, 40, 10
    ranked = rank_items(torch.zeros(n_queries, n_items), k, torch.arange(n_queries), seed=0)
    places = (ranked == column).float().mean(dim=0)
    # Each place is binomial with p = 1/40; five standard errors.
    assert places.numpy() == pytest.approx(np.full(k, 1 / n_items), abs=5 * (1 / 40 * 39 / 40 / n_queries) ** 0.5)


def test_excluded_items_are_never_recommended():
    scores = torch.full((2, 5), -torch.inf)
    scores[0, 3] = -7.0
    assert rank_items(scores, 3, torch.arange(2), seed=0).tolist() == [[3, -1, -1], [-1, -1, -1]]


def test_nan_is_refused():
    scores = torch.zeros(3, 5)
    scores[1, 2] = torch.nan
    with pytest.raises(RecsysError, match=r"NaN for 1 of 3 queries \(first: query 8\)"):
        rank_items(scores, 2, torch.tensor([7, 8, 9]), seed=0)


def test_no_queries():
    assert rank_items(torch.zeros(0, 5), 3, torch.zeros(0, dtype=torch.int64), seed=0).shape == (0, 3)


def test_hash_is_uniform_and_without_collisions():
    hashes = pair_hash(torch.arange(300).unsqueeze(1), torch.arange(300), seed=0)
    assert len(hashes.unique()) == 300 * 300
    bits = torch.stack([(hashes >> bit) & 1 for bit in range(64)]).double().mean(dim=(1, 2))
    assert bits.numpy() == pytest.approx(np.full(64, 0.5), abs=5 * 0.5 / 300)


@pytest.mark.parametrize("n_columns", [LONG * 3, LONG * 3 + 5])
@pytest.mark.parametrize("levels", [2, 50, 10**9])  # many ties, some, none
def test_long_rows_have_the_same_largest_values(n_columns, levels):
    scores = (torch.rand(40, n_columns) * levels).floor()
    scores[1], scores[2, :-2] = -torch.inf, -torch.inf
    values, columns = top_values(scores, 3)
    assert torch.equal(values, scores.topk(3, dim=1).values)
    assert torch.equal(scores.gather(1, columns), values)
    assert all(len(set(row)) == 3 for row in columns.tolist())


def test_a_nan_comes_first_in_long_rows_too():
    scores = torch.rand(2, LONG * 3)
    scores[1, 100] = torch.nan
    values, _ = top_values(scores, 3)
    assert values.isnan().any(dim=1).tolist() == [False, True]
    assert values[1, 0].isnan()
