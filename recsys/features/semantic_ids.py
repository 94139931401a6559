"""Item features from semantic IDs: learnt vectors of the prefixes of an item's codes, alone or with text and ID."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recsys.features.item_features import ItemFeatures
from recsys.finetuning.base import TextVectors
from recsys.layers.embedding import WarmEmbedding
from recsys.layers.lookup import take_rows
from recsys.layers.semantic_codes import CodeChecksum, SemanticCodes, prefix_rows
from recsys.schema import ConfigError, ModelContext

COMBINATIONS = SUM, CONCAT = "sum", "concat"


class SemanticIdFeatures(ItemFeatures):
    """Σ over levels l of a learnt vector of the item's first l codes; or the concatenation of these vectors.

    Zheng et al., "Enhancing Embedding Representation Stability in Recommendation Systems with Semantic ID", RecSys 2025
    (arXiv 2504.02137): prefixes as n-grams. The codes are quantised from the encoder's vectors before training. An item
    without train interactions shares prefixes with items of similar texts; prefixes that no train item has are zeros.
    Items with equal codes have equal vectors, unless `add_text` or `ids` distinguishes them.

    Args:
        context: Sizes of the data; `context.dim` is the width of the vectors.
        text: Text vectors by item.
        codes: Quantisation of the text vectors.
        combine: `sum`, or `concat` of vectors of about dim / n_levels each.
        add_text: Whether the projected text is added.
        ids: Whether a learnt ID embedding is added.
        init_std: Standard deviation of the initial vectors.
        others: Further settings of `ItemFeatures` for the text vectors.

    Raises:
        ConfigError: If a value is impossible, if there are no text vectors, or if training would change them and
            `add_text` is not set.
    """

    prefixes: Tensor
    has_other_parts = True

    def __init__(
        self,
        context: ModelContext,
        text: TextVectors,
        codes: SemanticCodes,
        combine: str = SUM,
        add_text: bool = False,
        ids: bool = False,
        init_std: float = 0.1,
        **others: Any,
    ) -> None:
        if combine not in COMBINATIONS:
            raise ConfigError(f"features.combine is {combine!r}; expected one of {', '.join(COMBINATIONS)}.")
        if text.parameter_groups() and not add_text:
            raise ConfigError(
                "features=semantic_ids reads the encoder's vectors once: use finetune=frozen or features.add_text=true."
            )
        of_items = codes.fit(text.vectors, context.warm_items).codes
        rows = prefix_rows(of_items)
        columns = [_known(column, context.warm_items) for column in rows.unbind(1)]
        super().__init__(
            context, text if add_text else TextVectors(text.vectors[:, :0]), ids=ids, init_std=init_std, **others
        )
        self.combine = combine
        self.checksum = CodeChecksum(of_items, context.warm_items)
        self.register_buffer("prefixes", torch.stack([column for column, _ in columns], dim=1), persistent=False)
        widths = [context.dim] * codes.n_levels if combine == SUM else _shares(context.dim, codes.n_levels)
        self.levels = nn.ModuleList(
            WarmEmbedding(torch.arange(n + 1) < n, width, init_std, trains_on_cold=True)
            for (_, n), width in zip(columns, widths, strict=True)
        )

    def forward(self, idx: Tensor) -> Tensor:
        rows = take_rows(self.prefixes, idx)
        return self._with_others(super().forward, self._of_levels(rows, whole=False), idx)

    def catalogue(self) -> Tensor:
        return self._with_others(super().catalogue, self._of_levels(self.prefixes, whole=True))

    def _of_levels(self, rows: Tensor, whole: bool) -> Tensor:
        """Vectors (n, dim) of items whose prefixes are in these rows (n, n_levels) of the tables."""
        columns = rows.unbind(-1)
        parts = [
            take_rows(level.table(), column) if whole else level(column)  # type: ignore[operator]
            for level, column in zip(self.levels, columns, strict=True)
        ]
        return torch.stack(parts).sum(dim=0) if self.combine == SUM else torch.cat(parts, dim=-1)

    def _with_others(self, others: Callable[..., Tensor], vectors: Tensor, *idx: Tensor) -> Tensor:
        return vectors if self.projection is None and self.ids is None else vectors + others(*idx)


def _known(column: Tensor, train_items: Tensor) -> tuple[Tensor, int]:
    """The row (n_items,) of each item's prefix among the n prefixes of train items, n for any other; and n.

    Items without train interactions, such as new ones at serving, do not change the rows of others.
    """
    known = column[train_items].unique()
    rows = column.new_full((len(column),), len(known))
    rows[known] = torch.arange(len(known))
    return rows[column], len(known)


def _shares(dim: int, n_levels: int) -> list[int]:
    if dim < n_levels:
        raise ConfigError(f"features.dim is {dim}; features.combine={CONCAT} needs at least {n_levels}, one per level.")
    return [dim // n_levels + (level < dim % n_levels) for level in range(n_levels)]
