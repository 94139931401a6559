import numpy as np
import pytest
import torch

from recsys.finetuning.base import TextVectors
from recsys.rankers.lightgcn import LightGCNRanker
from recsys.rankers.text_nodes import TextNodes
from recsys.schema import ConfigError, ModelContext, TrainInteractions
from recsys.testing.ranker_contract import N_ITEMS, N_USERS, RankerContract, catalogue, train, user_side


def solved(n_layers: int = 3) -> LightGCNRanker:
    part = train()
    counts = torch.from_numpy(np.bincount(part.items, minlength=N_ITEMS))
    warm_users = torch.from_numpy(np.bincount(part.users, minlength=N_USERS)) > 0
    ranker = LightGCNRanker(ModelContext(0, warm_users, counts), dim=5, n_layers=n_layers)
    ranker.fit(part)
    return ranker.eval()


def dense_vectors(ranker: LightGCNRanker) -> np.ndarray:
    """The paper's equation 8 with dense matrices: A = D^(-1/2) [[0, R], [Rᵀ, 0]] D^(-1/2), layers averaged."""
    matrix = train().matrix.toarray()
    adjacency = np.zeros((N_USERS + N_ITEMS, N_USERS + N_ITEMS))
    adjacency[:N_USERS, N_USERS:], adjacency[N_USERS:, :N_USERS] = matrix, matrix.T
    degrees = adjacency.sum(axis=1)
    scale = np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1)), 0)
    adjacency = scale[:, None] * adjacency * scale
    first = torch.cat([ranker.users.weight, ranker.items.weight]).detach().numpy().astype(np.float64)
    first[degrees == 0] = 0  # what has no train interactions has nothing learnt
    layers = [np.linalg.matrix_power(adjacency, k) @ first for k in range(ranker.n_layers + 1)]
    return np.mean(layers, axis=0)


class TestLightGCNRanker(RankerContract):
    def make(self):
        return solved()

    @pytest.mark.parametrize("n_layers", [0, 1, 3])
    def test_propagation_is_the_dense_formula(self, n_layers):
        ranker = solved(n_layers)
        expected = dense_vectors(ranker)
        found = torch.cat(ranker.propagated()).detach().numpy()
        assert np.abs(expected).max() > 0.05
        assert np.allclose(found, expected, atol=1e-5)

    def test_scores_are_products_of_what_was_propagated(self, ranker):
        expected = dense_vectors(ranker)
        scores = ranker.score_catalogue(user_side(), catalogue()).detach().numpy()
        assert np.allclose(scores, expected[:N_USERS] @ expected[N_USERS:].T, atol=1e-5)

    def test_an_evaluation_propagates_once_until_the_weights_change(self, monkeypatch):
        ranker, calls, propagate = solved(), [], LightGCNRanker._propagate
        monkeypatch.setattr(LightGCNRanker, "_propagate", lambda *of: calls.append(1) or propagate(*of))

        def scores():
            with torch.inference_mode():
                return ranker.score_catalogue(user_side(), catalogue())

        ranker.users.weight.data *= 10
        first = scores()
        assert torch.equal(first, scores())
        assert len(calls) == 1
        optimizer = torch.optim.Adam(ranker.parameters(), lr=0.1, fused=True)
        ranker.score_catalogue(user_side(), catalogue()).square().sum().backward()
        optimizer.step()
        expected = dense_vectors(ranker)
        assert not torch.allclose(first, scores(), atol=1e-3)
        assert np.allclose(scores().numpy(), expected[:N_USERS] @ expected[N_USERS:].T, atol=1e-5)
        ranker.load_state_dict(solved().state_dict())
        ranker.fit(
            TrainInteractions(train().users[:5], train().items[:5], None, N_USERS, N_ITEMS, train().text_vectors)
        )
        assert not torch.allclose(first, scores(), atol=1e-3)

    def test_the_gradient_is_that_of_the_dense_formula(self):
        ranker = solved().double()
        parameters = (ranker.users.weight.detach().requires_grad_(), ranker.items.weight.detach().requires_grad_())

        def products(users, items):
            weights = {"users.weight": users, "items.weight": items}
            scored = torch.func.functional_call(ranker, weights, (user_side(), catalogue()))
            return scored.sum(dim=0)

        ranker.forward = ranker.score_catalogue
        assert torch.autograd.gradcheck(products, parameters)

    def test_saved_weights_bring_the_graph_along(self, ranker):
        part = train()
        counts = torch.from_numpy(np.bincount(part.items, minlength=N_ITEMS))
        again = LightGCNRanker(ModelContext(0, ranker.users.warm, counts), dim=5).eval()
        again.load_state_dict(ranker.state_dict())
        assert torch.equal(*(one.score_catalogue(user_side(), catalogue()) for one in (ranker, again)))


def test_impossible_values_are_refused():
    with pytest.raises(ConfigError, match=r"ranker\.n_layers"):
        LightGCNRanker(ModelContext(0, torch.tensor([True]), torch.tensor([1])), n_layers=-1)


def test_vectors_begin_as_xaviers_or_with_a_given_deviation():
    context = ModelContext(0, torch.ones(3000, dtype=torch.bool), torch.ones(200, dtype=torch.int64))
    ranker = LightGCNRanker(context, dim=50)
    for embedding, n in ((ranker.users, 3000), (ranker.items, 200)):
        bound = (6 / (n + 50)) ** 0.5
        assert 0.99 * bound < float(embedding.weight.detach().abs().max()) <= bound
    assert float(LightGCNRanker(context, dim=50, init_std=0.3).users.weight.detach().std()) == pytest.approx(
        0.3, rel=0.05
    )


def test_random_numbers_are_drawn_in_a_fixed_order():
    context = ModelContext(1, torch.ones(3, dtype=torch.bool), torch.ones(5, dtype=torch.int64))
    torch.manual_seed(5)
    made = LightGCNRanker(context, dim=4)
    torch.manual_seed(5)
    for n in (3, 5):
        torch.nn.init.normal_(torch.nn.Embedding(n, 4).weight)
    expected = [torch.nn.init.xavier_uniform_(torch.empty(n, 4)) for n in (3, 5)]
    assert torch.equal(made.users.weight, expected[0])
    assert torch.equal(made.items.weight, expected[1])


TEXT = torch.randn(N_ITEMS, 6, generator=torch.Generator().manual_seed(7))


def text_vectors() -> TextVectors:
    return TextVectors(TEXT.clone())


def with_text(cosine: bool = True, **nodes) -> LightGCNRanker:
    part = train()
    counts = torch.from_numpy(np.bincount(part.items, minlength=N_ITEMS))
    warm_users = torch.from_numpy(np.bincount(part.users, minlength=N_USERS)) > 0
    context = ModelContext(0, warm_users, counts, text_dim=6)
    ranker = LightGCNRanker(context, text_vectors(), 5, 2, cosine=cosine, text=TextNodes(normalize="none", **nodes))
    ranker.fit(part)
    return ranker.eval()


def layers_of(first: np.ndarray) -> np.ndarray:
    matrix = train().matrix.toarray()
    adjacency = np.block([[np.zeros((N_USERS, N_USERS)), matrix], [matrix.T, np.zeros((N_ITEMS, N_ITEMS))]])
    scale = 1 / np.sqrt(np.maximum(adjacency.sum(axis=1), 1))
    adjacency = scale[:, None] * adjacency * scale
    return np.mean([first, adjacency @ first, adjacency @ adjacency @ first], axis=0)


class TestAlphaRec(RankerContract):
    def make(self):
        return with_text(item_ids=False, users="mean", hidden_dim=4)

    @pytest.mark.parametrize("hidden_dim", [None, 4])
    def test_it_is_the_papers_formula(self, hidden_dim):
        ranker = with_text(item_ids=False, users="mean", hidden_dim=hidden_dim)
        matrix = torch.from_numpy(train().matrix.toarray()).float()
        means = matrix @ TEXT / matrix.sum(dim=1, keepdim=True).clamp(min=1)
        first = torch.cat([ranker.map(means) * (matrix.sum(dim=1, keepdim=True) > 0), ranker.map(TEXT)])
        expected = layers_of(first.detach().double().numpy())
        expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
        scores = ranker.score_catalogue(user_side(), catalogue()).detach().numpy()
        assert np.allclose(scores, expected[:N_USERS] @ expected[N_USERS:].T, atol=1e-5)
        assert np.abs(scores[:3, N_ITEMS - 1]).min() > 0  # an item that nobody knows

    def test_it_trains_after_an_evaluation(self, ranker):
        with torch.inference_mode():
            ranker.score_catalogue(user_side(), catalogue())
        ranker.score_catalogue(user_side(), catalogue()).square().sum().backward()
        assert all(parameter.grad is not None for parameter in ranker.parameters())


class TestLightGCNRankerWithText(RankerContract):
    def make(self):
        return with_text(cosine=False)

    def test_text_is_added_to_the_ids(self, ranker):
        users, items = ranker.users.table(), ranker.items.table() + ranker.map(TEXT)
        expected = layers_of(torch.cat([users, items]).detach().double().numpy())
        found = torch.cat(ranker.propagated()).detach().numpy()
        assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"users": "mean"}, "needs a text encoder"),
        ({"item_ids": False}, "needs a text encoder"),
        ({"users": "sum"}, "ranker.text.users is 'sum'"),
        ({"normalize": "no"}, "ranker.text.normalize is 'no'"),
        ({"hidden_dim": 0}, "ranker.text.hidden_dim is 0"),
    ],
)
def test_impossible_texts_are_errors(nodes, message):
    with pytest.raises(ConfigError, match=message):
        LightGCNRanker(ModelContext(0, torch.ones(2).bool(), torch.ones(3).long()), text=TextNodes(**nodes))
