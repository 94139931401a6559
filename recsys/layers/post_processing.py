"""Post-processing of an encoder's vectors: truncation, removal of top directions, PCA and whitening."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from recsys.layers.scaling import centering
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

NORMALIZATIONS = ("none", "center", "standardize")
NEGLIGIBLE = 1e-8  # share of the largest variance: a direction with less is dropped and not amplified


@dataclass(frozen=True)
class PostProcessing:
    """A linear map of vectors, fitted on those of the train items alone.

    The steps, in this order: keep the first `truncate` dimensions (Kusupati et al., "Matryoshka Representation
    Learning", NeurIPS 2022); drop the `remove_top` principal directions (Mu and Viswanath, "All-but-the-Top", ICLR
    2018); keep the `rank` directions after them (PCA); divide each by its standard deviation to the power of
    `whitening`, which is 1 in Zhang et al., "Are ID Embeddings Necessary? Whitening Pre-trained Text Embeddings for
    Effective Sequential Recommendation", ICDE 2024. The map is symmetric, so it does not depend on signs and order of
    the directions, and it keeps the mean squared length of the train items' vectors.

    Attributes:
        truncate: Number of first dimensions that are kept; None for all.
        remove_top: Number of principal directions of the largest variance that are dropped.
        rank: Maximum number of directions that are kept after these; None for all.
        whitening: 0 for none to 1 for equal variance in all kept directions.

    Raises:
        ConfigError: If a value is impossible.
    """

    truncate: int | None = None
    remove_top: int = 0
    rank: int | None = None
    whitening: float = 0.0

    def __post_init__(self) -> None:
        check_whole("vectors.truncate", self.truncate, 1, optional=True)
        check_whole("vectors.remove_top", self.remove_top, 0)
        check_whole("vectors.rank", self.rank, 1, optional=True)
        check_number("vectors.whitening", self.whitening, at_least=0, at_most=1, reason=" (0: none, 1: full)")

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return self.truncate is None and not self.rotates

    @property
    def rotates(self) -> bool:
        """Whether it drops or scales principal directions."""
        return self.remove_top > 0 or self.rank is not None or self.whitening > 0

    def check_width(self, dim: int) -> None:
        """Check that the settings fit vectors of this width.

        Raises:
            ConfigError: If there are fewer dimensions than `truncate`, or none after `remove_top`.
        """
        if self.truncate is not None and self.truncate > dim:
            raise ConfigError(f"vectors.truncate is {self.truncate}, but the encoder's vectors have {dim} dimensions.")
        width = dim if self.truncate is None else self.truncate
        if self.remove_top >= width:
            raise ConfigError(f"vectors.remove_top is {self.remove_top}, which leaves none of {width} directions.")

    def matrix(self, vectors: Tensor) -> Tensor:
        """The map (dim, dim), fitted on truncated vectors (n, dim); directions are those of their second moment.

        Raises:
            ConfigError: If `remove_top` leaves none of the directions that the vectors have.

        Example:
            >>> PostProcessing(whitening=1.0).matrix(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).round(decimals=4)
            tensor([[0.7906, 0.0000],
                    [0.0000, 1.5811]], dtype=torch.float64)
        """
        vectors = vectors.double()
        ascending, directions = torch.linalg.eigh(vectors.T @ vectors / max(1, len(vectors)))
        variances, directions = ascending.flip(0).clamp(min=0), directions.flip(1)
        kept = variances > NEGLIGIBLE * variances[0]
        if 0 < int(kept.sum()) <= self.remove_top:
            raise ConfigError(
                f"vectors.remove_top is {self.remove_top}, which leaves none of the {int(kept.sum())} directions that "
                "the train items' vectors have."
            )
        kept[: self.remove_top] = False
        if self.rank is not None:
            kept[self.remove_top + self.rank :] = False
        gains = torch.where(kept, variances, 1.0).pow(-self.whitening / 2) * kept
        length = (variances * gains.square()).sum()
        scale = (variances.sum() / length).sqrt() if length > 0 else length
        return (directions * (gains * scale)) @ directions.T

    def applied(self, vectors: Tensor, fitted_on: Tensor) -> Tensor:
        """Vectors (n, dim) after the map, as float32, centred first.

        Args:
            vectors: (n, text_dim).
            fitted_on: (n,) bool, True for train items, whose statistics are used for all items.

        Raises:
            ConfigError: If there are fewer dimensions than `truncate`, or none after `remove_top`.
        """
        self.check_width(vectors.shape[1])
        vectors = vectors[:, : self.truncate].double()
        mean, scale = centering(vectors[fitted_on])
        vectors = (vectors - mean) * scale
        return (vectors @ self.matrix(vectors[fitted_on]) if self.rotates else vectors).float()


@contextmanager
def settings_of(group: str) -> Iterator[None]:
    """Errors of a post-processing have the whole config key, as in `features.vectors.truncate`.

    Args:
        group: The key above `vectors`.

    Raises:
        ConfigError: Those raised inside, with the key's beginning.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{group}.{error}") from error


class Transformable(Protocol):
    """Vectors (n, dim) of items that can be replaced by an affine map of themselves."""

    vectors: Tensor

    def normalize(self, mean: Tensor, scale: Tensor) -> None:
        """Replace each vector by (vector − mean) · scale."""

    def transform(self, mean: Tensor, matrix: Tensor) -> None:
        """Replace each vector by (vector[:n] − mean) · matrix, where n is the length of the mean."""


def normalize(text: Transformable, fitted_on: Tensor, how: str, steps: PostProcessing) -> None:
    """Map vectors by the statistics of the train items among them.

    Args:
        text: The vectors.
        fitted_on: (n,) bool, True for train items.
        how: One of `NORMALIZATIONS`: `center` and `standardize` give a mean squared length of 1.
        steps: Applied afterwards, except the truncation, which comes first.
    """
    if text.vectors.shape[1] == 0 or not bool(fitted_on.any()):
        return
    if steps.is_identity:
        if how != "none":
            text.normalize(*centering(text.vectors[fitted_on], each=how == "standardize"))
        return
    train = text.vectors[fitted_on][:, : steps.truncate].double()
    mean, scale = torch.zeros_like(train[0]), torch.ones_like(train[0])
    if how != "none":
        mean, scale = centering(train, each=how == "standardize")
    matrix = torch.diag(scale)
    text.transform(mean, matrix @ steps.matrix((train - mean) * scale) if steps.rotates else matrix)


def principal_components(vectors: Tensor, fitted_on: Tensor, n: int) -> Tensor:
    """The first `n` principal components (len(vectors), n) of vectors; fewer if there are fewer directions.

    Args:
        vectors: (n, dim).
        fitted_on: (n,) bool, True for train items, whose mean and directions are used.
        n: Number of components.
    """
    centred = vectors.double() - vectors[fitted_on].double().mean(dim=0)
    train = centred[fitted_on]
    variances, directions = torch.linalg.eigh(train.T @ train)
    n = min(n, int((variances > NEGLIGIBLE * variances[-1]).sum()))
    directions = directions.flip(1)[:, :n]
    largest = directions.abs().argmax(dim=0)
    return centred @ (directions * directions[largest, torch.arange(n)].sign())
