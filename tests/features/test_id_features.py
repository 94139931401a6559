import numpy as np
import pytest
import torch

from recsys.features.ids import IdFeatures
from recsys.finetuning.base import EncodedItems, TextVectors
from recsys.finetuning.delta import Delta
from recsys.schema import ConfigError, ModelContext

COUNTS = torch.tensor([3] * 19 + [0])
TEXT = torch.randn(20, 6, generator=torch.Generator().manual_seed(2)) * torch.tensor([9.0, 5, 3, 2, 1, 1])


def context(dim: int) -> ModelContext:
    return ModelContext(dim, torch.tensor([True]), COUNTS)


def test_ids_begin_at_the_principal_components():
    from sklearn.decomposition import PCA

    ids = IdFeatures(context(3), TextVectors(TEXT), init_std=0.2)
    expected = PCA(3).fit_transform(TEXT[:19].double().numpy())
    expected *= 0.2 / np.sqrt((expected**2).mean())
    found = ids.catalogue().detach().double().numpy()
    np.testing.assert_allclose(np.abs(found[:19]), np.abs(expected), atol=1e-5)
    assert np.array_equal(found[19], np.zeros(3))  # no train interaction
    assert ids.projection is None


def test_dimensions_beyond_the_components_begin_at_random():
    weight = IdFeatures(context(50), TextVectors(TEXT)).ids.weight
    assert 0.05 < weight[:, 6:].std() < 0.15
    assert torch.isclose(weight[:19, :6].square().mean().sqrt(), torch.tensor(0.1))


def test_random_ids_need_no_text():
    ids = IdFeatures(context(50), TextVectors(TEXT[:, :0]), init="random")
    assert 0.05 < ids.ids.weight.std() < 0.15


def trained() -> TextVectors:
    return Delta().text_vectors(EncodedItems(TEXT, COUNTS > 0, False, ["a"] * 20, lambda: None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IdFeatures(context(3), TextVectors(TEXT), init="pca"), "features.init is 'pca'"),
        (lambda: IdFeatures(context(3), TextVectors(TEXT[:, :0])), "features.init=text needs an encoder"),
        (lambda: IdFeatures(context(3), TextVectors(TEXT), init="random"), "ignores the encoder"),
        (lambda: IdFeatures(context(3), trained()), "finetune=frozen"),
    ],
)
def test_what_makes_no_sense_is_an_error(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
