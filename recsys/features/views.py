"""Item features from several views of an item, weighted by attention: its text and its categories."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.layers.additive_attention import masked_softmax
from recsys.layers.lookup import take_rows
from recsys.schema import ConfigError, ModelContext
from recsys.support.number_checks import check_whole


class ViewFeatures(ItemFeatures):
    """A weighted mean of views, the weights softmax(qᵀ tanh(U r + u)) over the views r of an item.

    Wu et al., "Neural News Recommendation with Attentive Multi-View Learning", IJCAI 2019, section 2.1. One view is
    the text's vector of `ItemFeatures`; each category is a further one, ReLU(V e + v) of its learnt vector e.

    Args:
        context: Sizes of the data, and the items' categories.
        text: Text vectors by item.
        attention_dim: Width of the query vector q.
        others: The settings of `ItemFeatures`.

    Raises:
        ConfigError: If the data has no categories, or `attention_dim` is not positive.
    """

    categories: Tensor

    def __init__(self, context: ModelContext, text: TextVectors, attention_dim: int = 64, **others: Any) -> None:
        super().__init__(context, text, **others)
        check_whole("features.attention_dim", attention_dim, 1)
        if context.categories is None or context.n_categories == 0:
            raise ConfigError("features=views needs categories of items, and the data has none: use features=text.")
        self.register_buffer("categories", context.categories.clone(), persistent=False)
        self.embedding = nn.Embedding(context.n_categories, context.dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.dense = nn.Linear(context.dim, context.dim)
        self.project = nn.Linear(context.dim, attention_dim)
        self.query = nn.Linear(attention_dim, 1, bias=False)

    def forward(self, idx: Tensor) -> Tensor:
        return self._weighed(super().forward(idx), take_rows(self.categories, idx))

    def catalogue(self) -> Tensor:
        return self._weighed(super().catalogue(), self.categories)

    def _weighed(self, text: Tensor, categories: Tensor) -> Tensor:
        """Vectors (n, dim) of items with these text views (n, dim) and categories (n, C)."""
        of_each = torch.relu(self.dense(self.embedding.weight))  # a category's view is the same for all items
        views = torch.cat([text.unsqueeze(1), take_rows(of_each, categories.clamp(min=0))], dim=1)
        logits = self.query(torch.tanh(self.project(views))).squeeze(-1)
        mask = torch.cat([torch.ones_like(categories[:, :1], dtype=torch.bool), categories >= 0], dim=1)
        return (masked_softmax(logits, mask).unsqueeze(-1) * views).sum(dim=1)
