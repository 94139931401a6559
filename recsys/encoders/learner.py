"""A language model to pretrain, and the settings of its pretraining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

CATALOGUE = "catalogue"  # weights that are pretrained from scratch on the train items' texts
VERSION = 1  # increased when a change of code changes the result of the same settings


class Learner(Protocol):
    """The interface of models that can be pretrained: they create a tokenizer and a model to train."""

    @property
    def head(self) -> str:
        """The name of the model's layer that predicts tokens."""

    @property
    def decoder(self) -> bool | None:
        """Whether the model reads from left to right only."""

    @property
    def pretraining(self) -> Pretraining:
        """The settings of its pretraining."""

    @property
    def max_length(self) -> int:
        """Number of tokens that texts are truncated to."""

    def recipe(self) -> dict[str, Any]:
        """Everything that the weights depend on besides the texts."""

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """A tokenizer, and a model with the weights that training starts from."""


@dataclass(frozen=True)
class Pretraining:
    """Settings of pretraining.

    Attributes:
        epochs: Passes over the texts.
        batch_size: Texts of a step.
        learning_rate: Peak learning rate, after a warm-up of a tenth of the steps; it then falls linearly to zero.
        held_out_share: Share of the texts that are held out to measure the loss.
        seed: Seed of weights, order, dropout and masks.
        patience: Stop after so many epochs without a lower loss on the held-out texts, and keep the weights of the
            epoch with the lowest loss; None trains all epochs and keeps the last weights.

    Raises:
        ConfigError: If a value is impossible.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 2e-3
    held_out_share: float = 0.05
    seed: int = 0
    patience: int | None = None

    def __post_init__(self) -> None:
        check_whole("encoder.pretraining.epochs", self.epochs, 1)
        check_whole("encoder.pretraining.batch_size", self.batch_size, 1)
        check_number("encoder.pretraining.learning_rate", self.learning_rate, above=0)
        check_number("encoder.pretraining.held_out_share", self.held_out_share, at_least=0, below=1)
        check_whole("encoder.pretraining.patience", self.patience, 1, optional=True)
        if self.patience is not None and self.held_out_share == 0:
            raise ConfigError(
                f"encoder.pretraining.patience={self.patience} stops by the loss on held-out texts, and "
                "encoder.pretraining.held_out_share is 0; hold some out, or leave patience out."
            )

    def identity(self) -> dict[str, Any]:
        """All settings that are in use, as plain values."""
        used = {key: value for key, value in asdict(self).items() if key != "patience" or value is not None}
        return {"version": VERSION, **used}
