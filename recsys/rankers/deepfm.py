"""DeepFM: a factorisation machine and a perceptron over the same fields of users and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from recsys.layers.chunking import in_parts
from recsys.layers.embedding import WarmEmbedding
from recsys.layers.lookup import row_products, take_rows
from recsys.rankers.base import OwnItems, Ranker, SharedItems, UserSide
from recsys.schema import ModelContext
from recsys.support.number_checks import check_number, check_whole, check_wholes


@dataclass
class Fields:
    """Terms of the fields of n users or n items, computed once instead of for each pair.

    Attributes:
        total: (n, dim) sums of the fields' vectors; the dot product of a user's and an item's sum has all cross terms.
        scalar: (n,) first-order terms, and the products of pairs of fields of the same side.
        hidden: (n, width) contributions to the perceptron's first hidden layer, before its activation.
    """

    total: Tensor
    scalar: Tensor
    hidden: Tensor


class DeepFMRanker(Ranker):
    """score(u, i) = w₀ + Σ_f w_f + Σ_{f<g} v_f·v_g + MLP([v_f]) over the fields f of user and item.

    Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI 2017, equations 1 to 4.
    Fields of the user are the ID and the profile (with `profile=mean` the mean of the history's item vectors); fields
    of the item are the ID, the features (the projected text) and, where the data has them, its categories, whose
    vectors are averaged. Users and items without train interactions have zeros for their ID.

    Args:
        context: Sizes of the data.
        hidden_dims: Widths of the perceptron's hidden layers, each with a ReLU.
        dropout: Dropout rate after each hidden layer, in training.
        init_std: Standard deviation of the initial vectors of IDs and categories.
        max_hidden: Bound on the entries of the first hidden layer that are in memory at once when a catalogue is
            scored.

    Raises:
        ConfigError: If there is no hidden layer, or a value is impossible.
    """

    reads_user = True
    categories: Tensor

    def __init__(
        self,
        context: ModelContext,
        hidden_dims: Sequence[int] = (64, 32),
        dropout: float = 0.0,
        init_std: float = 0.1,
        max_hidden: int = 262_144,
    ) -> None:
        super().__init__()
        check_wholes("ranker.hidden_dims", hidden_dims, 1, "[64, 32]")
        check_number("ranker.dropout", dropout, at_least=0, below=1)
        check_number("ranker.init_std", init_std, at_least=0)
        check_whole("ranker.max_hidden", max_hidden, 1)
        widths, dim = list(hidden_dims), context.dim
        self.max_hidden = max_hidden
        # A vector of an ID or a category has its first-order weight as its last entry.
        self.users = WarmEmbedding(context.warm_users, dim + 1, init_std, context.trains_on_cold)
        self.items = WarmEmbedding(context.warm_items, dim + 1, init_std, context.trains_on_cold)
        self.category_vectors = nn.Parameter(torch.randn(context.n_categories, dim + 1) * init_std)
        table = context.item_counts.new_zeros(context.n_items, 0) if context.categories is None else context.categories
        self.register_buffer("categories", table.clone(), persistent=False)
        self.profile_weight, self.feature_weight = nn.Linear(dim, 1), nn.Linear(dim, 1, bias=False)  # w₀ is the bias
        self.user_part = nn.Linear(2 * dim, widths[0])
        self.item_part = nn.Linear((3 if context.n_categories else 2) * dim, widths[0], bias=False)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(nn.Linear(wide, narrow) for wide, narrow in pairwise([*widths, 1]))

    def score(self, users: UserSide, items: OwnItems) -> Tensor:
        of_users, of_items, rows = self._user_fields(users), self._distinct_fields(items), items.rows
        hidden = of_users.hidden.unsqueeze(1) + take_rows(of_items.hidden, rows)  # (B, N, width)
        first = of_users.scalar.unsqueeze(1) + take_rows(of_items.scalar, rows)
        return first + row_products(of_users.total, of_items.total, rows) + self._perceptron(hidden)

    def score_catalogue(self, users: UserSide, items: SharedItems) -> Tensor:
        of_users, of_items = self._user_fields(users), self._item_fields(items.idx, items.vectors)
        n_users = max(1, self.max_hidden // max(1, of_items.hidden.numel()))
        deep = in_parts(lambda part: self._perceptron(part.unsqueeze(1) + of_items.hidden), of_users.hidden, n_users)
        deep = deep + of_users.scalar.unsqueeze(1) + of_items.scalar
        return torch.addmm(deep, of_users.total, of_items.total.T)

    def _user_fields(self, users: UserSide) -> Fields:
        idx = users.batch.idx
        known = self.users(idx.clamp(min=0)) * (idx >= 0).unsqueeze(-1)
        first = known[:, -1] + self.profile_weight(users.vectors).squeeze(-1)
        return _fields([known[:, :-1], users.vectors], first, self.user_part)

    def _distinct_fields(self, items: OwnItems) -> Fields:
        """The fields of the items of `items.table`."""
        # The table may have items of histories too. They are scored for no pair, so item 0 is their placeholder.
        idx = items.idx.new_zeros(len(items.table)).index_copy(0, items.rows.reshape(-1), items.idx.reshape(-1))
        return self._item_fields(idx, items.table)

    def _item_fields(self, idx: Tensor, vectors: Tensor) -> Fields:
        known = self.items(idx)
        fields, first = [known[:, :-1], vectors], known[:, -1] + self.feature_weight(vectors).squeeze(-1)
        if len(self.category_vectors):
            own = take_rows(self.categories, idx)
            there = (own >= 0).unsqueeze(-1)
            of_categories = (take_rows(self.category_vectors, own.clamp(min=0)) * there).sum(dim=1)
            of_categories = of_categories / there.sum(dim=1).clamp(min=1)
            fields, first = [*fields, of_categories[:, :-1]], first + of_categories[:, -1]
        return _fields(fields, first, self.item_part)

    def _perceptron(self, hidden: Tensor) -> Tensor:
        """Scores (*) of first hidden layers (*, width), before their activation."""
        for layer in self.layers:
            hidden = layer(self.dropout(torch.relu(hidden)))
        return hidden.squeeze(-1)


def _fields(vectors: list[Tensor], first: Tensor, layer: nn.Module) -> Fields:
    total = torch.stack(vectors).sum(dim=0)
    # Of k vectors, the products of all pairs are half the square of their sum less their squares.
    pairs = 0.5 * (total.square() - torch.stack(vectors).square().sum(dim=0)).sum(dim=1)
    return Fields(total, first + pairs, layer(torch.cat(vectors, dim=1)))
