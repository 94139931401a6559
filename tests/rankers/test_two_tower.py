import pytest
import torch
from torch.nn.functional import cosine_similarity

from recsys.rankers.two_tower import TwoTowerRanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import RankerContract, catalogue, context, user_side


def tower(layers, x):
    return layers[3].weight @ torch.relu(layers[0].weight @ x + layers[0].bias) + layers[3].bias


class TestTwoTowerRanker(RankerContract):
    def make(self):
        return TwoTowerRanker(context(), hidden_dims=(6,), output_dim=5, temperature=0.5)

    def test_it_is_the_cosine_of_the_towers_over_the_temperature(self, ranker):
        users, items = user_side(), catalogue()
        query = tower(ranker.user_tower, torch.cat([users.vectors[1], ranker.user_ids.weight[1]]))
        expected = cosine_similarity(query, tower(ranker.item_tower, items.vectors[7]), dim=0) / 0.5
        assert torch.isclose(ranker.score_catalogue(users, items)[1, 7], expected, atol=1e-6)

    def test_a_user_without_train_interactions_has_the_profile_alone(self, ranker):
        users, items = user_side(), catalogue()
        query = tower(ranker.user_tower, torch.cat([users.vectors[3], torch.zeros(8)]))
        expected = cosine_similarity(query, tower(ranker.item_tower, items.vectors[7]), dim=0) / 0.5
        assert torch.isclose(ranker.score_catalogue(users, items)[3, 7], expected, atol=1e-6)

    def test_the_scores_are_products_for_an_index(self, ranker):
        users, items = user_side(), catalogue()
        products = ranker.user_factors_of(users) @ ranker.item_factors_of(items).T
        assert torch.allclose(products, ranker.score_catalogue(users, items))


class TestLinearTowersWithoutIds(RankerContract):
    def make(self):
        return TwoTowerRanker(context(), hidden_dims=(), output_dim=5, user_ids=False)


@pytest.mark.parametrize(("key", "value"), [("hidden_dims", [0]), ("output_dim", 0), ("temperature", 0.0)])
def test_impossible_values_are_refused(key, value):
    with pytest.raises(ConfigError, match=rf"ranker\.{key}"):
        TwoTowerRanker(context(), **{key: value})
