import pytest
import torch

from recsys.rankers.cf import CFRanker
from recsys.rankers.dot import DotRanker
from recsys.rankers.mlp import MLPRanker
from recsys.rankers.popularity import PopularityRanker
from recsys.schema import ConfigError
from recsys.testing.ranker_contract import DIM, N_ITEMS, RankerContract, catalogue, context, user_side


class TestDotRanker(RankerContract):
    def make(self):
        return DotRanker(context(), temperature=0.5)

    def test_it_is_the_product_over_the_temperature(self, ranker):
        users, items = user_side(), catalogue()
        expected = (users.vectors[1] * items.vectors[7]).sum() / 0.5
        assert torch.isclose(ranker.score_catalogue(users, items)[1, 7], expected)


class TestCosineRanker(RankerContract):
    def make(self):
        return DotRanker(context(), cosine=True)

    def test_it_is_the_cosine(self, ranker):
        users, items = user_side(), catalogue()
        expected = torch.nn.functional.cosine_similarity(users.vectors[1], items.vectors[7], dim=0)
        assert torch.isclose(ranker.score_catalogue(users, items)[1, 7], expected)


class TestMLPRanker(RankerContract):
    def make(self):
        return MLPRanker(context(), hidden_dims=(6, 5), activation="tanh")

    def test_it_equals_the_formula_with_nothing_split(self, ranker):
        users, items = user_side(), catalogue()
        u, i = users.vectors[1], items.vectors[7]
        first = torch.cat([ranker.user_part.weight, ranker.item_part.weight, ranker.product_part.weight], dim=1)
        hidden = torch.tanh(first @ torch.cat([u, i, u * i]) + ranker.user_part.bias)
        hidden = torch.tanh(ranker.layers[0].weight @ hidden + ranker.layers[0].bias)
        expected = ranker.layers[1].weight @ hidden + ranker.layers[1].bias
        assert torch.isclose(ranker.score_catalogue(users, items)[1, 7], expected[0], atol=1e-6)

    def test_the_memory_bound_changes_nothing(self, ranker):
        expected = ranker.score_catalogue(user_side(), catalogue())
        ranker.max_hidden = 1
        assert torch.allclose(ranker.score_catalogue(user_side(), catalogue()), expected, atol=1e-6)


class TestCFRanker(RankerContract):
    def make(self):
        return CFRanker(context(), user_bias=True)

    def test_it_is_biases_plus_product(self, ranker):
        users, items = user_side(), catalogue()
        product = users.vectors[1] @ items.vectors[7]
        expected = ranker.item_bias[7] + product + ranker.user_bias[1]
        assert torch.isclose(ranker.score_catalogue(users, items)[1, 7], expected)

    def test_what_is_cold_has_no_bias(self, ranker):
        users, items = user_side(), catalogue()
        expected = users.vectors[3] @ items.vectors[N_ITEMS - 1]
        assert torch.isclose(ranker.score_catalogue(users, items)[3, N_ITEMS - 1], expected)


class TestPopularityRanker(RankerContract):
    def make(self):
        return PopularityRanker(context())

    @pytest.fixture
    def ranker(self):
        return self.make()

    def test_it_counts(self, ranker):
        assert ranker.score_catalogue(user_side(), catalogue())[0].tolist() == list(range(N_ITEMS - 1, -1, -1))


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: DotRanker(context(), temperature=0.0), "ranker.temperature"),
        (lambda: MLPRanker(context(), hidden_dims=()), "ranker.hidden_dims"),
        (lambda: MLPRanker(context(), activation="swish"), "ranker.activation"),
    ],
)
def test_impossible_values_are_refused_by_their_key(make, key):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        make()


def test_widths_are_those_of_the_context():
    assert MLPRanker(context()).user_part.in_features == DIM
