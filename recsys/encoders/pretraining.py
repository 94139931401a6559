"""A small language model from scratch on the catalogue's own texts, kept by content."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from recsys.encoders.files import making, replacing
from recsys.encoders.weights import weights_hash
from recsys.schema import ConfigError

if TYPE_CHECKING:
    from torch import Generator

log = logging.getLogger(__name__)

REPORT = "pretraining.json"
VERSION = 1  # raised when a change of code changes what the same settings give


class Learner(Protocol):
    """What can be pretrained: an encoder with a fresh tokenizer and model."""

    head: ClassVar[str]  # the name of the model's layer that predicts tokens
    pretraining: Pretraining
    max_length: int

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

    Raises:
        ConfigError: If a value is impossible.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 2e-3
    held_out_share: float = 0.05
    seed: int = 0

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

    def identity(self) -> dict[str, Any]:
        """All settings, as plain values."""
        return {"version": VERSION, **asdict(self)}


def pretrained(learner: Learner, texts: Sequence[str], cache_dir: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of a model pretrained on the distinct `texts`, and the report of how that went; found there or made.

    The objective is the model's own: causal for a decoder, masked for a model whose tokenizer has a mask token.

    Raises:
        ConfigError: If there are fewer than two distinct texts.
    """
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    if len(distinct) < 2:
        raise ConfigError(
            f"encoder.weights is catalogue, but the train items have {len(distinct)} distinct texts to learn from; "
            "name a folder or a hub id, or use encoder=none."
        )
    key = hashlib.sha256(json.dumps([learner.recipe(), distinct], sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_dir / "pretrained" / key
    with making(folder):
        report = _found(folder)
        if report is None:
            with replacing(folder) as unfinished:
                report = _make(learner, distinct, unfinished)
    return folder, report


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


def _make(learner: Learner, texts: Sequence[str], folder: Path) -> dict[str, Any]:
    from recsys.encoders.loading import quiet

    start = time.perf_counter()
    tokenizer, model, report = _train(learner, texts)
    with quiet():
        model.eval().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    report |= {"seconds": time.perf_counter() - start, "sha256": weights_hash(folder)}
    (folder / REPORT).write_text(json.dumps(report))
    return report


def _train(learner: Learner, texts: Sequence[str]) -> tuple[Any, Any, dict[str, Any]]:
    import torch

    from recsys.encoders.objectives import make_batches, make_inputs, summed_loss, tokenize
    from recsys.encoders.progress import track

    settings = learner.pretraining
    with torch.random.fork_rng():  # the run's own randomness must not depend on whether weights were found
        torch.manual_seed(settings.seed)
        generator = torch.Generator().manual_seed(settings.seed)
        train_texts, held_out_texts = _hold_out(texts, settings.held_out_share, generator)
        tokenizer, model = learner.fresh(train_texts)
        tokens = tokenize(tokenizer, train_texts, learner.max_length)
        steps = [b for _ in range(settings.epochs) for b in make_batches(tokens, settings.batch_size, generator)]
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_up_then_fall(len(steps)))
        model.train()
        for batch in track(steps, f"pretraining {model.config.model_type} on the catalogue"):
            loss, n_predicted = summed_loss(model, learner.head, make_inputs(batch, tokenizer, generator))
            if n_predicted:  # a batch of very short texts may have no masked token
                (loss / n_predicted).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
            schedule.step()
        measured = _held_out_loss(learner, tokenizer, model, held_out_texts)
    sizes = {"n_texts": len(tokens), "n_tokens": sum(map(len, tokens)), "vocabulary_size": len(tokenizer)}
    return tokenizer, model, {**sizes, "n_steps": len(steps), **measured}


def _hold_out(texts: Sequence[str], share: float, generator: Generator) -> tuple[list[str], list[str]]:
    import torch

    n_held_out = min(math.ceil(len(texts) * share), len(texts) - 1)
    order = torch.randperm(len(texts), generator=generator).tolist()
    return [texts[row] for row in order[n_held_out:]], [texts[row] for row in order[:n_held_out]]


def _held_out_loss(learner: Learner, tokenizer: Any, model: Any, texts: Sequence[str]) -> dict[str, float]:
    """Mean loss over the predicted tokens of texts that were not trained on, and its exponential."""
    import torch

    from recsys.encoders.objectives import make_batches, make_inputs, summed_loss, tokenize

    if not texts:
        return {}
    generator = torch.Generator().manual_seed(learner.pretraining.seed)
    batches = make_batches(tokenize(tokenizer, texts, learner.max_length), learner.pretraining.batch_size, generator)
    model.eval()
    with torch.inference_mode():
        losses = [summed_loss(model, learner.head, make_inputs(batch, tokenizer, generator)) for batch in batches]
    n_predicted = sum(n for _, n in losses)
    if n_predicted == 0:
        return {}
    loss = sum(total.item() for total, _ in losses) / n_predicted
    return {"held_out_loss": loss, "held_out_perplexity": math.exp(loss)}


def _warm_up_then_fall(n_steps: int) -> Any:
    warm_up = max(1, n_steps // 10)
    return lambda step: min((step + 1) / warm_up, max(0.0, (n_steps - step) / max(1, n_steps - warm_up)))
