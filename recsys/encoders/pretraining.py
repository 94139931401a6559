"""A small language model from scratch on the catalogue's own texts, kept by content."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from recsys.language_models.cached_files import making, replacing
from recsys.language_models.weights import settings_hash, weights_hash
from recsys.schema import ConfigError
from recsys.support.custom_code.hashes import code_of_object

log = logging.getLogger(__name__)

REPORT = "pretraining.json"
CATALOGUE = "catalogue"  # weights that are pretrained from scratch on the train items' texts
VERSION = 1  # raised when a change of code changes what the same settings give


class Learner(Protocol):
    """What can be pretrained: an encoder with a fresh tokenizer and model."""

    @property
    def head(self) -> str:
        """The name of the model's layer that predicts tokens."""

    @property
    def decoder(self) -> bool | None:
        """Whether the model reads from left to right only."""

    @property
    def pretraining(self) -> Pretraining:
        """How it is trained."""

    @property
    def max_length(self) -> int:
        """Tokens after which texts are cut."""

    def recipe(self) -> dict[str, Any]:
        """All that the weights depend on besides the texts."""

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """A tokenizer learnt from texts and an untrained model."""


@dataclass(frozen=True)
class Pretraining:
    """Settings of pretraining.

    Attributes:
        epochs: Passes over the texts.
        batch_size: Texts of a step.
        learning_rate: The highest, after a warm-up of a tenth of the steps; it then falls linearly to zero.
        held_out_share: Of the texts, to measure the loss on.
        seed: Of weights, order, dropout and masks.
        patience: Stop after so many epochs without a lower loss on the held-out texts, and keep the weights of the
            epoch that had the lowest; None goes through all epochs and keeps the last.

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
        for key in ("epochs", "batch_size"):
            if getattr(self, key) < 1:
                raise ConfigError(f"encoder.pretraining.{key} is {getattr(self, key)}; expected 1 or more.")
        if not self.learning_rate > 0:
            raise ConfigError(f"encoder.pretraining.learning_rate is {self.learning_rate}; expected a positive number.")
        if not 0 <= self.held_out_share < 1:
            raise ConfigError(
                f"encoder.pretraining.held_out_share is {self.held_out_share}; expected 0 or more, below 1."
            )
        self._check_patience()

    def _check_patience(self) -> None:
        if self.patience is None:
            return
        if not isinstance(self.patience, int) or self.patience < 1:
            raise ConfigError(f"encoder.pretraining.patience is {self.patience!r}; expected null, or 1 or more.")
        if self.held_out_share == 0:
            raise ConfigError(
                f"encoder.pretraining.patience={self.patience} stops by the loss on held-out texts, and "
                "encoder.pretraining.held_out_share is 0; hold some out, or leave patience out."
            )

    def identity(self) -> dict[str, Any]:
        """All settings that are in use, as plain values."""
        used = {key: value for key, value in asdict(self).items() if key != "patience" or value is not None}
        return {"version": VERSION, **used}


@dataclass(frozen=True)
class Continued:
    """A learner that goes on from weights that are there, with their own tokenizer.

    Attributes:
        learner: Of the weights' architecture.
        folder: What `save_pretrained` wrote. Where it lacks the layer that predicts tokens, that one begins untrained.
    """

    learner: Learner
    folder: Path

    @property
    def head(self) -> str:
        """The name of the model's layer that predicts tokens."""
        return self.learner.head

    @property
    def decoder(self) -> bool | None:
        """Whether the model reads from left to right only."""
        return self.learner.decoder

    @property
    def pretraining(self) -> Pretraining:
        """How it is trained."""
        return self.learner.pretraining

    @property
    def max_length(self) -> int:
        """Tokens after which texts are cut."""
        return self.learner.max_length

    def recipe(self) -> dict[str, Any]:
        """All that the weights depend on besides the texts."""
        start = {"start": weights_hash(self.folder), "start_settings": settings_hash(self.folder)}
        recipe = {key: value for key, value in self.learner.recipe().items() if key != "sizes"}
        return {**recipe, **start}

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """The folder's tokenizer and language model."""
        from recsys.language_models.loading import load

        return load(self.folder, self.decoder, self.max_length, self.head)


def pretrained(learner: Learner, texts: Sequence[str], cache_dir: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of a model pretrained on the distinct `texts`, and the report of how that went; found there or made.

    The objective is the model's own: causal for a decoder, masked for a model whose tokenizer has a mask token. What
    was done before a kill is kept by epoch, and a later call goes on from there to the same weights.

    Raises:
        ConfigError: If there are fewer than two distinct texts.
    """
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    if len(distinct) < 2:
        raise ConfigError(
            f"encoder.weights is {CATALOGUE}, but the train items have {len(distinct)} distinct texts to learn from; "
            "name a folder or a hub id, or use encoder=none."
        )
    code = code_of_object(learner)
    content = [learner.recipe(), distinct, code] if code else [learner.recipe(), distinct]
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_dir / "pretrained" / key
    with making(folder):
        report = _found(folder)
        if report is None:
            with replacing(folder) as unfinished:
                report = _make(learner, distinct, unfinished, folder.with_name(f".{key}.state"))
    return folder, report


def copied(source: Path, folder: Path) -> Path:
    """Copy a finished pretraining to `folder`, which is replaced as a whole."""
    with making(folder), replacing(folder) as unfinished:
        shutil.copytree(source, unfinished)
    return folder


def _found(folder: Path) -> dict[str, Any] | None:
    if not folder.exists():
        return None
    try:
        report: dict[str, Any] = json.loads((folder / REPORT).read_text())
        if report["sha256"] == weights_hash(folder):
            return report
    except (OSError, ValueError, KeyError, ConfigError) as error:
        log.debug("%s: %s", folder, error)
    log.warning("%s is damaged: pretraining again.", folder)
    return None


def _make(learner: Learner, texts: Sequence[str], folder: Path, state: Path) -> dict[str, Any]:
    from recsys.encoders.pretraining_loop import train
    from recsys.language_models.loading import quiet

    start = time.perf_counter()
    tokenizer, model, report = train(learner, texts, state)
    with quiet():
        model.eval().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    report |= {"seconds": time.perf_counter() - start, "sha256": weights_hash(folder)}
    (folder / REPORT).write_text(json.dumps(report))
    state.unlink(missing_ok=True)
    return report
