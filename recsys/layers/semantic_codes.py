"""Semantic IDs: items as short sequences of codes, quantised from their vectors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recsys.layers.residual_kmeans import residual_kmeans
from recsys.layers.rq_vae import fit_rq_vae
from recsys.schema import ConfigError, DataError
from recsys.support.number_checks import check_whole

METHODS = KMEANS, RQVAE = "kmeans", "rqvae"


@dataclass(frozen=True)
class ItemCodes:
    """The codes of a catalogue.

    Attributes:
        codes: (n_items, n_levels) int64; items with similar vectors share their first codes.
        reconstructed: (n_items, dim) float64, the vectors decoded from the codes.
    """

    codes: Tensor
    reconstructed: Tensor


@dataclass(frozen=True)
class SemanticCodes:
    """Quantisation of vectors. The codebooks are fitted on the train items; other items get the nearest codes.

    Attributes:
        method: `kmeans` is residual k-means; `rqvae` is an RQ-VAE (Rajput et al., NeurIPS 2023).
        n_levels: Number of codes of an item.
        n_codes: Maximum number of different codes of a level.
        seed: Seed of the fit. It is independent of the run's seed, so that all runs of a cell have the same codes.
        latent_dim: Width of the quantised vectors of the RQ-VAE.
        n_epochs: Epochs of the RQ-VAE.

    Raises:
        ConfigError: If a value is impossible.
    """

    method: str = KMEANS
    n_levels: int = 3
    n_codes: int = 64
    seed: int = 0
    latent_dim: int = 32
    n_epochs: int = 200

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"codes.method is {self.method!r}; expected one of {', '.join(METHODS)}.")
        least = {"n_levels": 1, "n_codes": 2, "seed": 0, "latent_dim": 1, "n_epochs": 1}
        for key, minimum in least.items():
            check_whole(f"codes.{key}", getattr(self, key), minimum)

    def fit(self, vectors: Tensor, train_items: Tensor) -> ItemCodes:
        """Codes of items.

        Args:
            vectors: (n_items, dim), of any encoder.
            train_items: (n_items,) bool, the items that the codebooks are fitted on.

        Raises:
            ConfigError: If the vectors have no dimensions.
        """
        if vectors.shape[1] == 0:
            raise ConfigError(
                "Semantic IDs are made of an encoder's vectors, and encoder=none has none: use an encoder, such as "
                "encoder=bert."
            )
        values, train = vectors.detach().cpu().double().numpy(), train_items.cpu().numpy()
        sizes = self.n_levels, self.n_codes, self.seed
        if self.method == RQVAE:
            codes, reconstructed = fit_rq_vae(values, train, *sizes, self.latent_dim, self.n_epochs)
        else:
            mean = values[train].mean(axis=0) if train.any() else np.zeros(values.shape[1])
            codes, books = residual_kmeans(values - mean, train, *sizes)
            reconstructed = mean + sum(book[codes[:, level]] for level, book in enumerate(books))
        return ItemCodes(torch.from_numpy(codes), torch.from_numpy(reconstructed))


class CodeChecksum(nn.Module):
    """A checksum of the train items' codes, which is saved with the weights that were trained on them.

    Codes are fitted again when a run is reopened. Another version of a library, or another processor, may round
    differently and give other codes, which the weights do not fit.

    Args:
        codes: (n_items, n_levels), of all items.
        train_items: (n_items,) bool.
    """

    def __init__(self, codes: Tensor, train_items: Tensor) -> None:
        super().__init__()
        content = codes[train_items].cpu().numpy().tobytes()
        self.value = int.from_bytes(hashlib.sha256(content).digest()[:7], "big")

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.value)

    def set_extra_state(self, state: Tensor) -> None:
        """Compare the saved checksum with that of the current codes.

        Raises:
            DataError: If they differ.
        """
        if int(state) != self.value:
            raise DataError(
                "the items' codes are not those that the weights were trained on: the encoder's vectors, a library or "
                "the processor differ. Make the run again with rerun=true."
            )


def prefix_rows(codes: Tensor) -> Tensor:
    """(n_items, n_levels) numbers of the items' prefixes: column l − 1 is equal for items with equal first l codes.

    Example:
        >>> prefix_rows(torch.tensor([[1, 0], [0, 1], [1, 1], [0, 1]])).tolist()
        [[1, 1], [0, 0], [1, 2], [0, 0]]
    """
    levels = range(1, codes.shape[1] + 1)
    rows = [torch.unique(codes[:, :level], dim=0, return_inverse=True)[1] for level in levels]
    return torch.stack(rows, dim=1)


def with_extra_code(codes: Tensor, train_items: Tensor) -> Tensor:
    """(n_items, n_levels + 1) unique codes: an extra code numbers the items with equal codes.

    Of these, train items come first; within train items and others, the order is that of the indices.

    Example:
        >>> with_extra_code(torch.tensor([[5, 6], [5, 6], [7, 6]]), torch.tensor([False, True, True])).tolist()
        [[5, 6, 1], [5, 6, 0], [7, 6, 0]]
    """
    group = prefix_rows(codes)[:, -1]
    order = torch.argsort(2 * group + (~train_items.to(group.device)).long(), stable=True)
    counts = torch.bincount(group)
    starts = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    extra = torch.empty_like(group)
    extra[order] = torch.arange(len(group), device=group.device) - starts
    return torch.cat([codes, extra.unsqueeze(1)], dim=1)
