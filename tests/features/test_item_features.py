import pytest
import torch

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import EncodedItems, TextVectors
from recsys.finetuning.delta import Delta
from recsys.layers.post_processing import PostProcessing
from recsys.schema import ConfigError, ItemTexts, ModelContext

COUNTS = torch.tensor([3, 2, 1, 0])
TEXT = torch.tensor([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0], [100.0, 9.0]])


def context():
    return ModelContext(3, torch.tensor([True]), COUNTS)


def test_statistics_are_those_of_the_train_items():
    features = ItemFeatures(context(), TextVectors(TEXT), normalize="standardize")
    # Items 0, 1, 2: mean 3, variance 8/3 in the first dimension; none in the second, which is then dropped, so that one
    # dimension alone has the squared length of 1.
    expected = torch.tensor([-2.0, 0.0, 2.0, 97.0]) / (8 / 3) ** 0.5
    assert torch.allclose(features.text.vectors[:, 0], expected)
    assert torch.equal(features.text.vectors[:, 1], torch.zeros(4))


def test_center_keeps_the_proportions_of_dimensions():
    text = torch.tensor([[0.0, 0.0], [4.0, 2.0], [0.0, 0.0], [9.0, 9.0]])
    scaled = ItemFeatures(context(), TextVectors(text), normalize="center").text.vectors
    assert torch.isclose(scaled[1, 0] - scaled[0, 0], 2 * (scaled[1, 1] - scaled[0, 1]))
    assert torch.isclose(scaled[:3].square().sum(dim=1).mean(), torch.tensor(1.0))


def test_a_cold_item_has_its_text_and_no_id():
    features = ItemFeatures(context(), TextVectors(TEXT), ids=True, normalize="none")
    expected = features.projection(TEXT)
    expected[:3] += features.ids.weight[:3]
    assert torch.allclose(features(torch.arange(4)), expected)


def test_without_text_there_are_ids_alone():
    features = ItemFeatures(context(), TextVectors(torch.empty(4, 0)), ids=True)
    assert torch.equal(features(torch.tensor([1]))[0], features.ids.weight[1])
    assert torch.equal(features(torch.tensor([3])), torch.zeros(1, 3))


def test_without_text_and_ids_it_is_refused():
    with pytest.raises(ConfigError, match="no features"):
        ItemFeatures(context(), TextVectors(torch.empty(4, 0)))


@pytest.mark.parametrize("n", [1, 40])  # fewer and more entries than items: distinct ones, or the whole catalogue
def test_a_table_gives_each_index_its_vector(n):
    features = ItemFeatures(context(), TextVectors(TEXT), ids=True)
    first, second = torch.tensor([[3, 0]]).repeat(n, 1), torch.tensor([2])
    table, (rows, row) = features.table(first, second)
    assert torch.allclose(table[rows], features(torch.arange(4))[first])
    assert torch.allclose(table[row], features(torch.arange(4))[second])


def whitened(text: TextVectors, **settings) -> ItemFeatures:
    torch.manual_seed(0)
    return ItemFeatures(context(), text, vectors=PostProcessing(**settings))


def test_centred_vectors_are_whitened():
    text = torch.tensor([[0.0, 0.0], [4.0, 2.0], [1.0, 5.0], [9.0, 9.0]])
    expected = PostProcessing(whitening=1.0).applied(text, COUNTS > 0)
    assert torch.allclose(whitened(TextVectors(text), whitening=1.0).text.vectors, expected, atol=1e-5)


def test_without_centring_directions_are_those_about_zero():
    text = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0], [9.0, 9.0]])
    features = ItemFeatures(context(), TextVectors(text), normalize="none", vectors=PostProcessing(remove_top=1))
    assert torch.allclose(features.text.vectors[:, 0], torch.zeros(4), atol=1e-6)
    assert torch.isclose(features.text.vectors[3, 1], 9 * torch.tensor(5.0).sqrt(), atol=1e-4)  # length is kept


@pytest.mark.parametrize("settings", [{"truncate": 1}, {"whitening": 0.5}, {"truncate": 2, "rank": 1}])
def test_offsets_begin_as_the_frozen_vectors(settings):
    items = EncodedItems(TEXT, COUNTS > 0, False, list("abcd"), lambda: None)
    delta = whitened(Delta().text_vectors(items), **settings)
    assert torch.equal(delta(torch.arange(4)), whitened(TextVectors(TEXT), **settings)(torch.arange(4)))
    delta(torch.arange(4)).sum().backward()
    assert torch.isfinite(delta.text.offsets.weight.grad).all()


def test_more_dimensions_than_the_encoder_has_are_an_error():
    known = ModelContext(3, torch.tensor([True]), COUNTS, texts=ItemTexts(list, list, None))
    with pytest.raises(
        ConfigError, match=r"^features\.vectors\.truncate is 3, but the encoder's vectors have 2 dimensions"
    ):
        ItemFeatures(known, TextVectors(TEXT), vectors=PostProcessing(truncate=3))
