"""Item features: projected text vectors of the items, learnt IDs, or both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recsys.finetuning.base import TextVectors
from recsys.layers.embedding import WarmEmbedding
from recsys.layers.post_processing import NORMALIZATIONS, PostProcessing, settings_of
from recsys.layers.post_processing import normalize as fit_normalization
from recsys.schema import ConfigError, ModelContext
from recsys.support.number_checks import check_number, check_whole


class ItemFeatures(nn.Module):
    """Item vectors: a learnt projection of text vectors, plus an ID embedding where `ids` is set.

    An item without train interactions has no learnt ID, so its ID part is zero: it is represented by its text only.

    Args:
        context: Sizes of the data; `context.dim` is the width of the vectors.
        text: Text vectors by item, frozen or not; their width is 0 for `encoder=none`.
        ids: Whether items have a learnt ID embedding; None: only with `encoder=none`.
        normalize: `center` subtracts the train items' mean from the text vectors and scales them to a mean squared
            length of 1; `standardize` also scales each dimension to the same variance; `none` leaves them as they are.
            The statistics are those of the vectors before training.
        vectors: Further linear steps after `normalize`, fitted on the train items: truncation (which comes first),
            removal of top directions, PCA, whitening. None for none.
        hidden_dim: Width of a hidden layer in the projection; None for a linear projection.
        dropout: Dropout rate on the text vectors, in training.
        init_std: Standard deviation of the initial ID embedding.

    Raises:
        ConfigError: If there is neither text nor ID, or a value is unknown or impossible.

    Attributes:
        has_other_parts: Whether a subclass adds other vectors to those of text and ID.
    """

    has_other_parts: bool = False

    def __init__(
        self,
        context: ModelContext,
        text: TextVectors,
        ids: bool | None = False,
        normalize: str = "center",
        vectors: PostProcessing | None = None,
        hidden_dim: int | None = None,
        dropout: float = 0.0,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        if normalize not in NORMALIZATIONS:
            raise ConfigError(f"features.normalize is {normalize!r}; expected one of {', '.join(NORMALIZATIONS)}.")
        check_whole("features.hidden_dim", hidden_dim, 1, optional=True)
        check_number("features.dropout", dropout, at_least=0, below=1)
        check_number("features.init_std", init_std, at_least=0)
        self.text = text
        with settings_of("features"):
            if context.texts is not None and text.dim and vectors is not None:  # None: checked on toy vectors
                vectors.check_width(text.dim)
            fit_normalization(text, context.warm_items, normalize, vectors or PostProcessing())
        self.projection = _projection(text.dim, context.dim, hidden_dim, dropout)
        ids = text.dim == 0 if ids is None else ids
        self.ids = WarmEmbedding(context.warm_items, context.dim, init_std, context.trains_on_cold) if ids else None
        if self.projection is None and self.ids is None and not self.has_other_parts:
            raise ConfigError("Items have no features: encoder=none gives no text vectors and features.ids is false.")

    @property
    def reads_text(self) -> bool:
        """Whether an item's vector depends on its text, so that an item without train interactions has one."""
        return self.text.dim > 0 or self.has_other_parts

    def forward(self, idx: Tensor) -> Tensor:
        """Vectors (n, dim) of the items `idx` (n,)."""
        text = None if self.projection is None else self.projection(self.text(idx))
        return _sum(text, None if self.ids is None else self.ids(idx))

    def catalogue(self) -> Tensor:
        """Vectors (n_items, dim) of all items."""
        text = None if self.projection is None else self.projection(self.text.catalogue())
        return _sum(text, None if self.ids is None else self.ids.table())

    def table(self, *indices: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Vectors of the distinct items of several index tensors, and each tensor's rows in that table.

        If the tensors have at least `n_items` entries together, the table is the whole catalogue in its order, unless
        text vectors are costly to compute.
        """
        if not self.text.costly and sum(idx.numel() for idx in indices) >= self.text.n_items:
            return self.catalogue(), list(indices)
        distinct, rows = torch.unique(torch.cat([idx.reshape(-1) for idx in indices]), return_inverse=True)
        parts = rows.split([idx.numel() for idx in indices])
        return self(distinct), [part.view(idx.shape) for part, idx in zip(parts, indices, strict=True)]


def _sum(text: Tensor | None, ids: Tensor | None) -> Tensor:
    if text is None or ids is None:
        vectors = ids if text is None else text
        assert vectors is not None, "one of both is there, as the constructor checked"
        return vectors
    return text + ids


def _projection(text_dim: int, dim: int, hidden_dim: int | None, dropout: float) -> nn.Module | None:
    if text_dim == 0:
        return None
    if hidden_dim is None:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(text_dim, dim))
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(text_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim))
