"""Pretraining of a language model on the catalogue's texts; results are cached by content."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.encoders.learner import CATALOGUE, Learner, Pretraining
from recsys.language_models.cached_files import making
from recsys.language_models.weights import settings_hash, weights_hash
from recsys.schema import ConfigError
from recsys.support.custom_code.hashes import code_of_object
from recsys.support.whole_files import replacing

log = logging.getLogger(__name__)

REPORT = "pretraining.json"


@dataclass(frozen=True)
class Continued:
    """A learner that continues from existing weights, with their own tokenizer.

    Attributes:
        learner: A learner of the weights' architecture.
        folder: A folder of `save_pretrained`. A layer that predicts tokens is initialised at random if it has none.
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
        """The settings of its pretraining."""
        return self.learner.pretraining

    @property
    def max_length(self) -> int:
        """Number of tokens that texts are truncated to."""
        return self.learner.max_length

    def recipe(self) -> dict[str, Any]:
        """Everything that the weights depend on besides the texts."""
        start = {"start": weights_hash(self.folder), "start_settings": settings_hash(self.folder)}
        recipe = {key: value for key, value in self.learner.recipe().items() if key != "sizes"}
        return {**recipe, **start}

    def fresh(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """The folder's tokenizer and language model."""
        from recsys.language_models.loading import load

        return load(self.folder, self.decoder, self.max_length, self.head)


def pretrained(learner: Learner, texts: Sequence[str], cache_dir: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of a model pretrained on the distinct `texts`, and the training report; from the cache if it is there.

    The objective is the model's own: causal for a decoder, masked for a model whose tokenizer has a mask token. The
    progress is saved after each epoch; a call after an interruption continues to the same weights.

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
    report = _found(folder)  # without the lock, as the cache may be read-only
    if report is not None:
        return folder, report
    with making(folder):
        report = _found(folder)
        if report is None:
            with replacing(folder) as unfinished:
                report = _make(learner, distinct, unfinished, folder.with_name(f".{key}.state"))
    return folder, report


def copied(source: Path, folder: Path) -> Path:
    """Copy a finished pretraining to `folder`, whose content is replaced."""
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
