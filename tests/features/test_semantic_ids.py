import pytest
import torch

from recsys.features.semantic_ids import SemanticIdFeatures
from recsys.finetuning.base import EncodedItems, TextVectors
from recsys.finetuning.delta import Delta
from recsys.layers.semantic_codes import SemanticCodes
from recsys.schema import ConfigError, DataError, ModelContext

# Four groups of five items; the last item of each is cold, and so is the whole last group.
GROUP = torch.arange(20) // 5
COUNTS = torch.tensor([3, 2, 1, 1, 0] * 3 + [0] * 5)
TEXT = 30 * torch.eye(4, 6)[GROUP] + torch.randn(20, 6, generator=torch.Generator().manual_seed(2))
CODES = SemanticCodes(n_levels=2, n_codes=3)


def make(codes=CODES, dim=4, text=TEXT, **settings):
    context = ModelContext(dim, torch.tensor([True]), COUNTS, trains_on_cold=False)
    text = text if isinstance(text, TextVectors) else TextVectors(text)
    return SemanticIdFeatures(context, text, codes, **settings)


def test_an_item_is_the_sum_of_its_prefixes():
    features = make().eval()
    found = features.catalogue()
    for item in range(20):
        rows = features.prefixes[item]
        parts = [level.weight[row] * level.warm[row] for level, row in zip(features.levels, rows, strict=True)]
        assert torch.allclose(found[item], parts[0] + parts[1])


def test_concatenated_levels_share_the_width():
    features = make(dim=5, combine="concat").eval()
    assert [level.embedding_dim for level in features.levels] == [3, 2]
    item = features.catalogue()[0]
    assert torch.equal(item[:3], features.levels[0].weight[features.prefixes[0, 0]])
    assert torch.equal(item[3:], features.levels[1].weight[features.prefixes[0, 1]])


def test_a_cold_item_has_the_first_prefix_of_similar_items():
    features = make(codes=SemanticCodes(n_levels=1, n_codes=3)).eval()
    found = features.catalogue()
    for group in range(3):
        assert (found[group == GROUP] == found[5 * group]).all()
    assert len(found[:15].unique(dim=0)) == 3
    assert found[4].abs().sum() > 0


def test_prefixes_without_a_train_item_are_zeros():
    features = make(codes=SemanticCodes(n_levels=3, n_codes=4)).eval()
    trained = set(features.prefixes[COUNTS > 0, 2].tolist())
    alone = [item for item in range(20) if features.prefixes[item, 2].item() not in trained]
    assert alone
    first, second = (features.levels[level](features.prefixes[alone, level]) for level in (0, 1))
    assert first.abs().sum() > 0
    assert torch.equal(features.catalogue()[alone], first + second)
    assert torch.equal(features.train()(torch.tensor(alone)), features.catalogue()[alone])


def test_new_items_do_not_move_the_prefixes_of_others():
    new = torch.randn(7, 6, generator=torch.Generator().manual_seed(8)) * 20
    context = ModelContext(4, torch.tensor([True]), torch.cat([COUNTS, torch.zeros(7, dtype=torch.int64)]))
    larger, features = SemanticIdFeatures(context, TextVectors(torch.cat([TEXT, new])), CODES), make()
    larger.load_state_dict(features.state_dict())
    assert torch.equal(larger.catalogue()[:20], features.catalogue())


@pytest.mark.parametrize("settings", [{}, {"ids": True}, {"add_text": True}, {"ids": True, "add_text": True}])
def test_chosen_items_have_the_vectors_of_the_catalogue(settings):
    features = make(**settings).eval()
    assert torch.allclose(features(torch.tensor([19, 0, 4])), features.catalogue()[[19, 0, 4]], atol=1e-6)
    table, (rows,) = features.table(torch.tensor([[3, 7], [7, 3]]))
    assert torch.allclose(table[rows], features.catalogue()[torch.tensor([[3, 7], [7, 3]])], atol=1e-6)


def test_text_and_ids_are_added():
    both, text = make(ids=True, add_text=True).eval(), make(add_text=True).eval()
    text.load_state_dict({key: value for key, value in both.state_dict().items() if not key.startswith("ids.")})
    assert torch.allclose(both.catalogue() - text.catalogue(), both.ids.table(), atol=1e-6)
    for level in text.levels:
        torch.nn.init.zeros_(level.weight)
    assert torch.allclose(text.catalogue(), text.projection(text.text.catalogue()))


def test_gradients_reach_each_prefix_of_the_chosen_items_only():
    features = make()
    features(torch.tensor([0, 6])).square().sum().backward()
    for number, level in enumerate(features.levels):
        touched = level.weight.grad.abs().sum(dim=1).nonzero().squeeze(1)
        assert touched.tolist() == sorted(set(features.prefixes[[0, 6], number].tolist()))


def trained() -> TextVectors:
    return Delta().text_vectors(EncodedItems(TEXT, COUNTS > 0, False, ["a"] * 20, lambda: None))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "product"}, "features.combine is 'product'"),
        ({"dim": 1, "combine": "concat"}, "features.dim is 1"),
        ({"text": TEXT[:, :0]}, "encoder=none"),
        ({"text": trained()}, "finetune=frozen"),
    ],
)
def test_what_makes_no_sense_is_an_error(settings, message):
    with pytest.raises(ConfigError, match=message):
        make(**settings)


def test_trained_text_can_be_added():
    assert make(text=trained(), add_text=True).text.parameter_groups()


def test_weights_of_other_codes_are_not_loaded():
    own, same, other = make(), make(), make(codes=SemanticCodes(n_levels=2, n_codes=3, seed=5), text=TEXT.flip(0))
    same.load_state_dict(own.state_dict())
    with pytest.raises(DataError, match="codes are not those that the weights were trained on"):
        own.load_state_dict(own.state_dict() | {"checksum._extra_state": other.state_dict()["checksum._extra_state"]})
