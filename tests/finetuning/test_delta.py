import pytest
import torch

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import EncodedItems, TextVectors
from recsys.finetuning.delta import Delta
from recsys.schema import ConfigError, ModelContext

TEXT = torch.tensor([[1.0, 5.0], [3.0, 4.0], [5.0, 5.0], [100.0, 9.0]])
WARM = torch.tensor([True, True, True, False])
ALL = torch.arange(4)


def items(trains_on_cold=False):
    def no_encoder():
        raise AssertionError("no weights are needed")

    return EncodedItems(TEXT, WARM, trains_on_cold, list("abcd"), no_encoder)


def features(text):
    torch.manual_seed(0)
    return ItemFeatures(ModelContext(3, torch.tensor([True]), WARM.long()), text)


def test_it_begins_as_the_frozen_vectors():
    text = Delta().text_vectors(items())
    assert torch.equal(features(text)(ALL), features(TextVectors(TEXT))(ALL))


@pytest.mark.parametrize("trains_on_cold", [True, False])
def test_a_warm_item_moves_alone_and_a_cold_one_never(trains_on_cold):
    text = Delta(learning_rate=0.5).text_vectors(items(trains_on_cold)).train()
    before = text(ALL).clone()
    optimizer = torch.optim.SGD(text.parameter_groups())
    wanted = torch.tensor([1, 3]) if trains_on_cold else torch.tensor([1])
    text(wanted).sum().backward()
    optimizer.step()
    moved = before.clone()
    moved[1] -= 0.5  # the gradient of a sum is 1
    assert torch.equal(text.eval()(ALL), moved)
    assert torch.equal(text.catalogue(), moved)


def test_offsets_are_added_to_normalized_vectors():
    text = Delta().text_vectors(items())
    made = features(text)
    with torch.no_grad():
        text.offsets.weight[0] = torch.tensor([1.0, -1.0])
    assert torch.equal(made.text(ALL)[0], text.vectors[0] + torch.tensor([1.0, -1.0]))
    assert torch.isclose(text.vectors[:3].square().sum(dim=1).mean(), torch.tensor(1.0))


def test_only_offsets_are_in_a_checkpoint_and_in_the_optimizer():
    text = Delta(learning_rate=0.25).text_vectors(items())
    assert list(text.state_dict()) == ["offsets.weight"]
    (group,) = text.parameter_groups()
    assert group["lr"] == 0.25
    assert [parameter.shape for parameter in group["params"]] == [TEXT.shape]


def test_it_needs_text():
    with pytest.raises(ConfigError, match=r"finetune=delta has no text vectors .* features=hybrid"):
        Delta().text_vectors(EncodedItems(torch.empty(4, 0), WARM, False, list("abcd"), lambda: None))
