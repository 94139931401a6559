"""The costs of the cell with a language model, compared with those of the best model on IDs."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.reports.comparison import Comparison
from recsys.reports.formatting import count, seconds


@dataclass(frozen=True)
class TextCost:
    """Costs of fitting and encoding.

    Attributes:
        text: Seconds to encode and fit the cell with a language model once; None if unknown.
        ids: Seconds to fit the best model on IDs; None if unknown or without such a model.
        text_weights: Trained weights of the cell with a language model.
        ids_weights: Trained weights of the best model on IDs.
        model_weights: Weights of the language model itself; None if unknown.
        ids_label: Label of the best model on IDs.
    """

    text: float | None
    ids: float | None
    text_weights: int | None = None
    ids_weights: int | None = None
    model_weights: int | None = None
    ids_label: str | None = None

    @property
    def short(self) -> str:
        """The times, as part of a sentence."""
        if self.text is None:
            return "an unknown time"
        return f"{seconds(self.text)} of fitting and encoding" + (
            "" if self.ids is None else f" instead of {seconds(self.ids)} for {self.ids_label}, the best model on IDs"
        )

    @property
    def weights(self) -> str:
        """The numbers of weights, as part of a sentence."""
        own = f"{count(self.text_weights)} trained weights"
        beside = "" if self.ids_weights is None else f" instead of {count(self.ids_weights)}"
        model = "" if self.model_weights is None else f", and a language model with {count(self.model_weights)} weights"
        return f"{own}{beside}{model}"


def text_cost(comparison: Comparison, text: str, ids: str | None, model_weights: int | None = None) -> TextCost:
    """The costs of two cells of a comparison, given by their labels."""
    own = comparison.row(text).cost
    other = None if ids is None else comparison.row(ids).cost
    return TextCost(
        _sum(own.encode, own.train),
        None if other is None else _sum(other.encode, other.train),
        own.trainable,
        None if other is None else other.trainable,
        model_weights,
        ids,
    )


def _sum(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
