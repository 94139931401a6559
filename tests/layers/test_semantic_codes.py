import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from recsys.layers.residual_kmeans import residual_kmeans
from recsys.layers.rq_vae import RQVAE, fit_rq_vae
from recsys.layers.semantic_codes import METHODS, SemanticCodes, prefix_rows, with_extra_code
from recsys.schema import ConfigError

N = 60
TRAIN = torch.arange(N) < 50


def clusters() -> torch.Tensor:
    """60 vectors around 4 far centres: item i belongs to centre i mod 4."""
    generator = torch.Generator().manual_seed(1)
    centres = 20 * torch.eye(4, 8)
    return centres[torch.arange(N) % 4] + torch.randn(N, 8, generator=generator)


def test_levels_are_the_k_means_of_residuals():
    vectors, train = clusters().double().numpy(), TRAIN.numpy()
    codes, books = residual_kmeans(vectors, train, 2, 4, seed=3)
    first = KMeans(4, n_init=1, random_state=3).fit(vectors[train])
    left = vectors - first.cluster_centers_[first.predict(vectors)]
    second = KMeans(4, n_init=1, random_state=4).fit(left[train])
    assert np.array_equal(codes, np.stack([first.predict(vectors), second.predict(left)], axis=1))
    np.testing.assert_allclose(books[1], second.cluster_centers_)


@pytest.mark.parametrize("method", METHODS)
class TestEachMethod:
    def fit(self, method, vectors, train=TRAIN, **settings):
        sizes = {"n_levels": 2, "n_codes": 4, "n_epochs": 200, "latent_dim": 8, **settings}
        return SemanticCodes(method, **sizes).fit(vectors, train)

    def test_the_first_codes_are_the_clusters_of_all_items(self, method):
        codes = self.fit(method, clusters()).codes
        assert codes.shape == (N, 2)
        first = {cluster: set(codes[torch.arange(N) % 4 == cluster, 0].tolist()) for cluster in range(4)}
        assert all(len(found) == 1 for found in first.values())
        assert len(set.union(*first.values())) == 4

    def test_reconstructions_are_nearer_than_the_mean(self, method):
        vectors = clusters()
        error = (self.fit(method, vectors).reconstructed - vectors).square().mean()
        assert error < 0.3 * (vectors - vectors.mean(dim=0)).square().mean()

    @pytest.mark.slow
    def test_other_items_do_not_move_the_codes_of_train_items(self, method):
        changed = clusters()
        changed[50:] *= -3
        before, after = self.fit(method, clusters()), self.fit(method, changed)
        assert torch.equal(before.codes[:50], after.codes[:50])
        assert not torch.allclose(before.reconstructed[50:], after.reconstructed[50:])

    @pytest.mark.slow
    def test_a_fit_is_repeatable_and_leaves_the_random_state(self, method):
        torch.manual_seed(5)
        state, first = torch.get_rng_state(), self.fit(method, clusters())
        assert torch.equal(torch.get_rng_state(), state)
        torch.manual_seed(6)
        with torch.inference_mode():
            again = self.fit(method, clusters())
        assert torch.equal(first.codes, again.codes)
        assert torch.equal(first.reconstructed, again.reconstructed)

    def test_fewer_items_than_codes_and_none_at_all(self, method):
        codes = self.fit(method, clusters(), torch.arange(N) < 3, n_codes=16).codes
        assert codes[:, 0].max() <= 2
        assert self.fit(method, clusters(), torch.zeros(N, dtype=torch.bool)).codes.eq(0).all()


def test_the_loss_of_an_rq_vae_by_hand():
    torch.manual_seed(0)
    model, vectors = RQVAE(3, 2), torch.randn(5, 3)
    model.start_books(vectors, n_levels=2, n_codes=2, seed=0)
    latent = model.encoder(vectors)
    residual, total, expected = latent, 0, 0
    for book in model.books:
        chosen = torch.stack([min(book, key=lambda e: (e - r).norm()) for r in residual])
        expected += 1.25 * (chosen - residual).square().mean()
        residual, total = residual - chosen, total + chosen
    expected += (model.decoder(total) - vectors).square().mean()
    assert torch.isclose(model.loss(vectors), expected)


def test_training_an_rq_vae_lowers_its_error():
    vectors, train = clusters().double().numpy(), TRAIN.numpy()
    errors = [np.square(fit_rq_vae(vectors, train, 2, 4, 0, 8, n)[1] - vectors).mean() for n in (1, 200)]
    assert errors[1] < errors[0] / 2


def test_prefixes_are_equal_where_all_codes_up_to_the_level_are():
    codes = torch.tensor([[1, 0, 2], [0, 0, 2], [1, 0, 3], [1, 1, 2], [1, 0, 2]])
    rows = prefix_rows(codes)
    for level in range(3):
        for one in range(5):
            for two in range(5):
                same = torch.equal(codes[one, : level + 1], codes[two, : level + 1])
                assert (rows[one, level] == rows[two, level]) == same


def test_the_extra_code_makes_codes_unique():
    codes = torch.randint(0, 2, (40, 3), generator=torch.Generator().manual_seed(0))
    train = torch.arange(40) % 3 > 0
    unique = with_extra_code(codes, train)
    assert len(unique.unique(dim=0)) == 40
    assert torch.equal(unique[:, :3], codes)
    for group in codes.unique(dim=0):
        own = (codes == group).all(dim=1)
        assert sorted(unique[own, 3].tolist()) == list(range(int(own.sum())))
        ordered = train[own][unique[own, 3].argsort()].long()
        assert ordered.diff().le(0).all()  # those of the train part first


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "vq"}, "codes.method is 'vq'"),
        ({"n_levels": 0}, "codes.n_levels is 0"),
        ({"n_codes": 1}, "codes.n_codes is 1"),
        ({"seed": -1}, "codes.seed is -1"),
    ],
)
def test_impossible_values_are_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        SemanticCodes(**settings)


def test_no_vectors_are_an_error():
    with pytest.raises(ConfigError, match="encoder=none"):
        SemanticCodes().fit(torch.zeros(5, 0), torch.ones(5, dtype=torch.bool))
