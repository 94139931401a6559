"""The pretraining loop. Its state is saved after each epoch, so that it continues to the same weights."""

from __future__ import annotations

import copy
import logging
import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from recsys.encoders.learner import Learner
from recsys.encoders.objectives import make_batches, make_inputs, summed_loss, tokenize
from recsys.language_models.progress_bar import track
from recsys.support.whole_files import replacing

log = logging.getLogger(__name__)

Batches = list[list[list[int]]]


@dataclass
class PretrainingProgress:
    """The progress of a pretraining, besides the states of model, optimizer and random generators.

    Attributes:
        epoch: Number of finished epochs.
        curve: The held-out loss after each epoch; empty without `patience`.
        best: The weights of the epoch with the lowest held-out loss; None without `patience`.
    """

    epoch: int = 0
    curve: list[float] = field(default_factory=list)
    best: dict[str, Any] | None = None

    def is_over(self, epochs: int, patience: int | None) -> bool:
        """Whether all epochs are done, or the loss has not fallen in the last `patience` epochs."""
        stale = bool(self.curve) and len(self.curve) - 1 - self.curve.index(min(self.curve)) >= (patience or math.inf)
        return self.epoch >= epochs or stale


def train(learner: Learner, texts: Sequence[str], state: Path) -> tuple[Any, Any, dict[str, Any]]:
    """The tokenizer, the trained model, and a report of sizes and of the loss on held-out texts.

    Args:
        learner: The learner with its settings.
        texts: Distinct texts.
        state: A file with the progress; if it exists, training continues from it.
    """
    settings = learner.pretraining
    with torch.random.fork_rng():  # the run's own randomness must not depend on whether weights were cached
        torch.manual_seed(settings.seed)
        generator = torch.Generator().manual_seed(settings.seed)
        train_texts, held_out_texts = hold_out(texts, settings.held_out_share, generator)
        tokenizer, model = learner.fresh(train_texts)
        tokens = tokenize(tokenizer, train_texts, learner.max_length)
        epochs = [make_batches(tokens, settings.batch_size, generator) for _ in range(settings.epochs)]
        descent = _Descent(learner, tokenizer, model, epochs, generator)
        progress = descent.run(held_out_texts, state)
        measured = held_out_loss(learner, tokenizer, model, held_out_texts)
    sizes = {"n_texts": len(tokens), "n_tokens": sum(map(len, tokens)), "vocabulary_size": len(tokenizer)}
    curve = {"held_out_curve": progress.curve} if progress.curve else {}
    return tokenizer, model, {**sizes, "n_steps": sum(map(len, epochs[: progress.epoch])), **measured, **curve}


class _Descent:
    """The state of a training: model, optimizer, schedule, batches and random generator."""

    def __init__(self, learner: Learner, tokenizer: Any, model: Any, epochs: list[Batches], generator: Generator):
        self.learner, self.tokenizer, self.model = learner, tokenizer, model
        self.epochs, self.generator = epochs, generator
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=learner.pretraining.learning_rate, fused=True)
        shape = _warm_up_then_fall(sum(map(len, epochs)))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, shape)

    def run(self, held_out_texts: Sequence[str], state: Path) -> PretrainingProgress:
        progress, patience = self._resumed(state), self.learner.pretraining.patience
        while not progress.is_over(len(self.epochs), patience):
            self._epoch(progress.epoch)
            progress.epoch += 1
            if patience is not None:
                self._judge(progress, held_out_texts)
            self._keep(progress, state)
        if progress.best is not None:
            self.model.load_state_dict(progress.best)
        return progress

    def _epoch(self, number: int) -> None:
        self.model.train()
        described = f"pretraining {self.model.config.model_type}, epoch {number + 1} of {len(self.epochs)}"
        for batch in track(self.epochs[number], described):
            inputs = make_inputs(batch, self.tokenizer, self.generator)
            loss, n_predicted = summed_loss(self.model, self.learner.head, inputs)
            if n_predicted:  # a batch of very short texts may have no masked token
                (loss / n_predicted).backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad()
            self.schedule.step()

    def _judge(self, progress: PretrainingProgress, held_out_texts: Sequence[str]) -> None:
        found = held_out_loss(self.learner, self.tokenizer, self.model, held_out_texts)
        progress.curve.append(found.get("held_out_loss", math.inf))
        if progress.curve.index(min(progress.curve)) == len(progress.curve) - 1:
            progress.best = copy.deepcopy(self.model.state_dict())

    def _keep(self, progress: PretrainingProgress, state: Path) -> None:
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "schedule")}
        random = {"masks": self.generator.get_state(), "dropout": torch.get_rng_state()}
        with replacing(state) as unfinished:
            torch.save({**parts, **random, "progress": vars(progress)}, unfinished)

    def _resumed(self, state: Path) -> PretrainingProgress:
        if not state.exists():
            return PretrainingProgress()
        try:
            kept = torch.load(state, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            log.warning("%s is damaged (%s): pretraining from the beginning.", state, error)
            return PretrainingProgress()
        for name in ("model", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(kept[name])
        self.generator.set_state(kept["masks"])
        torch.set_rng_state(kept["dropout"])
        return PretrainingProgress(**kept["progress"])


def hold_out(texts: Sequence[str], share: float, generator: Generator) -> tuple[list[str], list[str]]:
    """Texts to train on, and a random `share` of the texts, rounded up, that is held out."""
    n_held_out = min(math.ceil(len(texts) * share), len(texts) - 1)
    order = torch.randperm(len(texts), generator=generator).tolist()
    return [texts[row] for row in order[n_held_out:]], [texts[row] for row in order[:n_held_out]]


def held_out_loss(learner: Learner, tokenizer: Any, model: Any, texts: Sequence[str]) -> dict[str, float]:
    """Mean loss over the predicted tokens of held-out texts, its exponential (perplexity), and the number of tokens."""
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
    return {"held_out_loss": loss, "held_out_perplexity": math.exp(loss), "n_held_out_tokens": n_predicted}


def _warm_up_then_fall(n_steps: int) -> Any:
    warm_up = max(1, n_steps // 10)
    return lambda step: min((step + 1) / warm_up, max(0.0, (n_steps - step) / max(1, n_steps - warm_up)))
