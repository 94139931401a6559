import numpy as np
import pytest
import torch

from recsys.layers.post_processing import PostProcessing, principal_components
from recsys.schema import ConfigError

WARM = torch.arange(40) < 30


def vectors(dim: int = 5) -> torch.Tensor:
    mixed = np.random.default_rng(0).standard_normal((40, dim)) @ np.random.default_rng(1).standard_normal((dim, dim))
    return torch.from_numpy(mixed + 3.0).float()


def centred(dim: int = 5) -> np.ndarray:
    rows = vectors(dim).double().numpy()
    return rows - rows[:30].mean(axis=0)


def by_formula(centred_rows: np.ndarray, kept: slice, power: float) -> np.ndarray:
    """Σ λ^(−power/2) (v·e) e over the kept directions e, then a mean squared length of 1 on the train rows."""
    variances, directions = np.linalg.eigh(np.cov(centred_rows[:30].T, bias=True))
    order = np.argsort(-variances)[kept]
    mapped = (centred_rows @ directions[:, order] / variances[order] ** (power / 2)) @ directions[:, order].T
    return mapped / np.sqrt((mapped[:30] ** 2).sum(axis=1).mean())


def test_not_all_directions_of_the_train_items_are_removed():
    rows, few = vectors(8), torch.arange(40) < 4  # centred vectors of four items have three directions
    assert PostProcessing(remove_top=2).applied(rows, few).abs().max() > 0
    with pytest.raises(ConfigError, match="remove_top is 3, which leaves none of the 3 directions"):
        PostProcessing(remove_top=3, whitening=1.0).applied(rows, few)


@pytest.mark.parametrize("power", [0.3, 1.0])
@pytest.mark.parametrize(("remove_top", "rank"), [(0, None), (1, None), (0, 2), (1, 2), (2, 9)])
def test_it_equals_the_formula_on_the_train_rows(remove_top, rank, power):
    steps = PostProcessing(remove_top=remove_top, rank=rank, whitening=power)
    kept = slice(remove_top, None if rank is None else remove_top + rank)
    expected = by_formula(centred(), kept, power)
    np.testing.assert_allclose(steps.applied(vectors(), WARM).numpy(), expected, atol=1e-4)


def test_full_whitening_gives_equal_variances_without_correlation():
    white = PostProcessing(whitening=1.0).applied(vectors(), WARM)[WARM].double()
    assert torch.allclose(white.T @ white / 30, torch.eye(5, dtype=torch.float64) / 5, atol=1e-6)


def test_it_is_scikit_learns_pca_up_to_a_rotation():
    from sklearn.decomposition import PCA

    components = PCA(3, whiten=True).fit(vectors()[WARM].numpy()).transform(vectors().numpy())
    components /= np.sqrt((components[:30] ** 2).sum(axis=1).mean())
    mapped = PostProcessing(rank=3, whitening=1.0).applied(vectors(), WARM).double().numpy()
    np.testing.assert_allclose(mapped @ mapped.T, components @ components.T, atol=1e-4)


def test_a_cold_row_changes_nothing():
    steps, changed = PostProcessing(rank=2, whitening=0.5), vectors()
    changed[35] = 1e3
    assert torch.equal(steps.applied(changed, WARM)[:35], steps.applied(vectors(), WARM)[:35])


def test_truncation_keeps_the_first_dimensions():
    steps = PostProcessing(truncate=2, whitening=1.0)
    expected = by_formula(centred()[:, :2], slice(None), 1.0)
    np.testing.assert_allclose(steps.applied(vectors(), WARM).numpy(), expected, atol=1e-4)


def test_a_direction_without_variance_is_dropped():
    flat = vectors(3)
    flat[:, 2] = 7.0
    flat[35, 2] = 9.0  # a cold row
    mapped = PostProcessing(whitening=1.0).applied(flat, WARM)
    assert torch.isfinite(mapped).all()
    assert torch.allclose(mapped[:, 2], torch.zeros(40), atol=1e-6)


def test_components_are_scikit_learns():
    from sklearn.decomposition import PCA

    expected = PCA(2).fit(vectors()[WARM].numpy()).transform(vectors().numpy())
    found = principal_components(vectors(), WARM, 2).numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)
    assert principal_components(vectors(), WARM, 99).shape == (40, 5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"truncate": 0}, "vectors.truncate is 0"),
        ({"remove_top": -1}, "vectors.remove_top is -1"),
        ({"rank": 0}, "vectors.rank is 0"),
        ({"whitening": 1.5}, "vectors.whitening is 1.5"),
    ],
)
def test_an_impossible_value_names_its_key(values, message):
    with pytest.raises(ConfigError, match=message):
        PostProcessing(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"truncate": 6}, "have 5 dimensions"), ({"truncate": 2, "remove_top": 2}, "leaves none of 2 directions")],
)
def test_a_width_that_the_vectors_do_not_have_is_an_error(values, message):
    with pytest.raises(ConfigError, match=message):
        PostProcessing(**values).applied(vectors(), WARM)
