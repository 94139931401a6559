import pytest
import torch

from recsys.rankers.neumf import NeuMFRanker
from recsys.schema import ConfigError, ModelContext
from recsys.testing.ranker_contract import DIM, RankerContract, catalogue, context, user_side


class TestNeuMFRanker(RankerContract):
    def make(self):
        return NeuMFRanker(context(), hidden_dims=(6, 5))

    def test_it_equals_the_formula_with_nothing_split(self, ranker):
        users, items = user_side(), catalogue()
        half = DIM // 2
        u, i = users.vectors[1], items.vectors[7]
        first = torch.cat([ranker.user_part.weight, ranker.item_part.weight], dim=1)
        hidden = torch.relu(first @ torch.cat([u[half:], i[half:]]) + ranker.user_part.bias)
        hidden = torch.relu(ranker.layers[0].weight @ hidden + ranker.layers[0].bias)
        # NeuMF: one linear layer joins the product and the last hidden layer.
        joint = torch.cat([ranker.product_weights, ranker.layers[1].weight[0]])
        expected = joint @ torch.cat([u[:half] * i[:half], hidden]) + ranker.layers[1].bias
        assert torch.isclose(ranker.score_catalogue(users, items)[1, 7], expected[0], atol=1e-5)

    def test_the_memory_bound_changes_nothing(self, ranker):
        expected = ranker.score_catalogue(user_side(), catalogue())
        ranker.max_hidden = 1
        assert torch.allclose(ranker.score_catalogue(user_side(), catalogue()), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: NeuMFRanker(context(), hidden_dims=()), "ranker.hidden_dims"),
        (lambda: NeuMFRanker(ModelContext(7, torch.tensor([True]), torch.tensor([1]))), "features.dim"),
    ],
)
def test_impossible_values_are_refused_by_their_key(make, key):
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        make()
