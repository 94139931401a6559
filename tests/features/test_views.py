from dataclasses import replace

import pytest
import torch

from recsys.features.views import ViewFeatures
from recsys.finetuning.base import TextVectors
from recsys.schema import ConfigError, ModelContext

# Three items: two categories, one, none.
CATEGORIES = torch.tensor([[0, 1], [1, -1], [-1, -1]])
CONTEXT = ModelContext(4, torch.tensor([True]), torch.tensor([2, 1, 1]), categories=CATEGORIES, n_categories=2)


def make(**settings):
    text = TextVectors(torch.randn(3, 5, generator=torch.Generator().manual_seed(1)))
    return ViewFeatures(settings.pop("context", CONTEXT), text, **{"attention_dim": 3, "normalize": "none", **settings})


def test_an_item_is_the_papers_mean_of_its_views():
    features = make()
    of_categories = torch.relu(features.embedding.weight @ features.dense.weight.T + features.dense.bias)
    for item, own in enumerate([[0, 1], [1], []]):
        text = features.projection(features.text.vectors[item])
        views = torch.stack([text, *of_categories[own]])
        logits = torch.tanh(views @ features.project.weight.T + features.project.bias) @ features.query.weight[0]
        expected = logits.exp() / logits.exp().sum() @ views
        assert torch.allclose(features.catalogue()[item], expected, atol=1e-6)


def test_chosen_items_have_the_vectors_of_the_catalogue():
    features = make()
    assert torch.allclose(features(torch.tensor([2, 0])), features.catalogue()[[2, 0]])


def test_data_without_categories_is_refused():
    with pytest.raises(ConfigError, match="the data has none"):
        make(context=replace(CONTEXT, categories=None, n_categories=0))


def test_an_impossible_width_is_refused():
    with pytest.raises(ConfigError, match=r"features\.attention_dim"):
        make(attention_dim=0)
