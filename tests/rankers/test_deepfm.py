from dataclasses import replace
from itertools import combinations

import pytest
import torch

from recsys.rankers.base import OwnItems
from recsys.rankers.deepfm import DeepFMRanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import DIM, N_ITEMS, RankerContract, catalogue, context, user_side


def with_categories():
    """Item i has category i mod 3, and every second item category 3 beside it."""
    table = torch.stack([torch.arange(N_ITEMS) % 3, torch.where(torch.arange(N_ITEMS) % 2 == 0, 3, -1)], dim=1)
    return replace(context(), categories=table, n_categories=4)


def plainly(ranker: DeepFMRanker, user: int, item: int) -> float:
    """The paper's formula with nothing split or shared: first order, every pair of fields, and the perceptron."""
    u, i = user_side().vectors[user], catalogue().vectors[item]
    known_user = ranker.users.weight[user] * (user != 3)
    known_item = ranker.items.weight[item] * (item != N_ITEMS - 1)
    mean = ranker.category_vectors[[item % 3, *([3] if item % 2 == 0 else [])]].mean(dim=0)
    fields = [known_user[:DIM], u, known_item[:DIM], i, mean[:DIM]]
    first = known_user[DIM] + known_item[DIM] + mean[DIM]
    first = (
        first + ranker.profile_weight.weight[0] @ u + ranker.profile_weight.bias + ranker.feature_weight.weight[0] @ i
    )
    second = sum(one @ other for one, other in combinations(fields, 2))
    hidden = torch.cat([ranker.user_part.weight, ranker.item_part.weight], dim=1) @ torch.cat(fields)
    hidden = torch.relu(hidden + ranker.user_part.bias)
    hidden = torch.relu(ranker.layers[0].weight @ hidden + ranker.layers[0].bias)
    return (first + second + ranker.layers[1].weight[0] @ hidden + ranker.layers[1].bias).item()


class TestDeepFMRanker(RankerContract):
    def make(self):
        return DeepFMRanker(with_categories(), hidden_dims=(6, 5))

    @pytest.mark.parametrize(("user", "item"), [(1, 7), (0, 8), (3, 4), (2, N_ITEMS - 1)])
    def test_it_is_the_papers_formula(self, ranker, user, item):
        found = ranker.score_catalogue(user_side(), catalogue())[user, item].item()
        assert found == pytest.approx(plainly(ranker, user, item), abs=2e-4)

    def test_distinct_items_with_those_of_histories_among_them_are_scored_as_pairs(self, ranker):
        items, distinct = catalogue(), torch.tensor([2, 5, 9, 11])  # of which 5 is in histories alone
        rows = torch.tensor([[0, 2], [3, 3], [2, 0], [0, 0]])
        found = ranker.score(user_side(), OwnItems(distinct[rows], items.vectors[distinct], rows))
        assert torch.allclose(found, ranker.score_catalogue(user_side(), items).gather(1, distinct[rows]), atol=1e-4)

    def test_the_memory_bound_changes_nothing(self, ranker):
        expected = ranker.score_catalogue(user_side(), catalogue())
        ranker.max_hidden = 1
        assert torch.allclose(ranker.score_catalogue(user_side(), catalogue()), expected, atol=1e-5)


class TestWithoutCategories(RankerContract):
    def make(self):
        return DeepFMRanker(context(), hidden_dims=(6,))


def test_impossible_values_are_refused():
    with pytest.raises(ConfigError, match=r"ranker\.hidden_dims"):
        DeepFMRanker(context(), hidden_dims=())
