"""Bidirectional self-attention over the history, with masked positions: BERT4Rec's user encoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.layers.lookup import take_rows
from recsys.layers.transformer_blocks import positions, transformer
from recsys.profiles.base import Profile
from recsys.schema import ModelContext, UserBatch
from recsys.support.number_checks import check_number


class BidirectionalProfile(Profile):
    """The output of a bidirectional transformer at a mask token after the history.

    Sun et al., "BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from Transformer", CIKM
    2019. With `batches.train_history=sequence` it is trained on the Cloze task of the paper, to predict masked items
    anywhere in a sequence; otherwise, to predict the item after each example's history. Positions are counted from the
    oldest item that is read.

    Args:
        context: Sizes of the data.
        n_layers: Number of transformer layers.
        n_heads: Number of attention heads; must divide the width of item vectors.
        max_positions: Number of positions; later items share the last one.
        dropout: Dropout rate in training.
        mask_share: Masking probability of the Cloze task, the paper's ρ; items are drawn anew in each epoch.

    Raises:
        ConfigError: If `n_heads` does not divide the width, or a value is impossible.
    """

    def __init__(
        self,
        context: ModelContext,
        n_layers: int = 2,
        n_heads: int = 2,
        max_positions: int = 200,
        dropout: float = 0.1,
        mask_share: float = 0.2,
    ) -> None:
        super().__init__()
        check_number("profile.mask_share", mask_share, above=0, at_most=1)
        self.learns_sequences, self.mask_share = True, mask_share
        self.positions = positions(max_positions, context.dim)
        self.blank = nn.Parameter(torch.randn(context.dim) * 0.02)
        self.layers = transformer(context.dim, n_layers, n_heads, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        every, lengths = torch.arange(rows.shape[0], device=rows.device), users.history_mask.sum(dim=1)
        wider = nn.functional.pad(rows, (0, 1))
        steps = torch.arange(wider.shape[1], device=rows.device)
        return self._filled(item_vectors, wider, steps <= lengths.unsqueeze(1), every, lengths)

    def at_positions(self, users: UserBatch, item_vectors: Tensor, rows: Tensor) -> Tensor:
        assert users.positions is not None
        return self._filled(item_vectors, rows, users.history_mask, users.positions.row, users.positions.position)

    def _filled(self, item_vectors: Tensor, rows: Tensor, mask: Tensor, row: Tensor, place: Tensor) -> Tensor:
        """Outputs (n, dim) at the masked positions: position `position` (n,) of history `row` (n,)."""
        steps = torch.arange(rows.shape[1], device=rows.device).clamp(max=self.positions.num_embeddings - 1)
        vectors = take_rows(item_vectors, rows).index_put((row, place), self.blank)
        states = self.layers(self.dropout(vectors + self.positions(steps)), src_key_padding_mask=~mask)
        return states[row, place]
