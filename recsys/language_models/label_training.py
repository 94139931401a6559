"""Training of a causal language model on label tokens: which of a few tokens follows a prompt."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsys import schema
from recsys.language_models.lengths import length_batches
from recsys.language_models.progress_bar import track
from recsys.language_models.token_lists import Tokens
from recsys.support.whole_files import CACHE, write_atomically

SECONDS_BETWEEN_SAVES = 60.0


@dataclass(frozen=True)
class LabelExamples:
    """Prompts, and which labels follow them.

    Attributes:
        tokens: The prompts (n).
        allowed: (n, L) bool, the labels that the prompt offers.
        targets: (n, L) the probability of each label that is learnt; 0 where it is not allowed.
    """

    tokens: Tokens
    allowed: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: Tensor) -> LabelExamples:
        return LabelExamples(self.tokens[rows], self.allowed[rows], self.targets[rows])


@dataclass(frozen=True)
class LabelSettings:
    """Epochs, batches and seed of the training.

    Attributes:
        max_epochs: Epochs at most.
        patience: Training stops after this many epochs without a lower validation loss.
        batch_tokens: Tokens of a step, padding included.
        seed: Seed of the order of batches and of dropout.
    """

    max_epochs: int
    patience: int
    batch_tokens: int
    seed: int


def label_logits(model: Any, tokens: Tokens, labels: Tensor) -> Tensor:
    """Logits (n, L) of the label tokens `labels` (L,) right after each prompt."""
    device, last = model.device, tokens.lengths - 1
    options: dict[str, Any] = {}
    rows, places = torch.arange(len(tokens)), last
    if "logits_to_keep" in signature(model.forward).parameters:  # the vocabulary is large: few positions need it
        kept, places = last.unique(return_inverse=True)
        options["logits_to_keep"] = kept.to(device)
    ids, mask = tokens.ids.to(device), tokens.mask.to(device).long()
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, **options).logits
    chosen: Tensor = logits[rows.to(device), places.to(device)].float()
    return chosen[:, labels.to(device)]


def label_loss(logits: Tensor, allowed: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy (n,) of the targets against the softmax over the allowed labels.

    Args:
        logits: (n, L) of the label tokens.
        allowed: (n, L) bool.
        targets: (n, L) probabilities.

    Example:
        >>> logits, allowed = torch.zeros(1, 3), torch.tensor([[True, True, False]])
        >>> round(label_loss(logits, allowed, torch.tensor([[1.0, 0.0, 0.0]])).item(), 4)  # log(2)
        0.6931
    """
    log_probabilities = logits.masked_fill(~allowed, -torch.inf).log_softmax(dim=1)
    return -(targets * log_probabilities.masked_fill(~allowed, 0.0)).sum(dim=1)


class LabelTrainer:
    """Trains the parameters that require gradients, and keeps those of the lowest validation loss.

    The untrained model counts as epoch 0: if no epoch has a lower loss, its parameters stay. The progress is saved, so
    that training that was killed continues and gives the same parameters.

    Args:
        model: A causal language model of transformers.
        groups: Parameters with their learning rates, for AdamW; `warmup_steps` is optional.
        labels: (L,) label tokens.
        settings: Epochs, batches and seed.
        path: Path of the saved progress.
    """

    def __init__(
        self, model: Any, groups: list[dict[str, Any]], labels: Tensor, settings: LabelSettings, path: Path
    ) -> None:
        self.model, self.labels, self.settings, self.path = model, labels, settings, path
        self.warmup = [group.get("warmup_steps", 0) for group in groups]
        self.optimizer = torch.optim.AdamW([{"params": group["params"], "lr": group["lr"]} for group in groups])
        self.rates = [group["lr"] for group in groups]
        self.state: dict[str, Any] = {"epoch": 0, "step": 0, "steps": 0, "tokens": 0, "seconds": 0.0, "losses": []}
        self.best: dict[str, Tensor] = {}

    def fit(self, examples: Callable[[int], LabelExamples], validation: LabelExamples) -> dict[str, Any]:
        """Train, or continue, or read the parameters of a training that has ended.

        Args:
            examples: Of an epoch.
            validation: Of the validation loss.

        Returns:
            The number of examples, tokens, steps, epochs and seconds, and the validation loss after each epoch.
        """
        saved = self._read()
        if saved is None:
            self._validate(validation)
        while not self._has_ended():
            self._epoch(examples(int(self.state["epoch"])))
            self.state |= {"epoch": self.state["epoch"] + 1, "step": 0}
            self._validate(validation)
        self._put(self.best)
        self._save()
        losses = self.state["losses"]
        report = {key: self.state[key] for key in ("tokens", "steps", "seconds")}
        return {**report, "epochs": self.state["epoch"], "best_epoch": int(np.argmin(losses)), "validation": losses}

    def _has_ended(self) -> bool:
        losses = self.state["losses"]
        waited = len(losses) - 1 - int(np.argmin(losses))
        return self.state["epoch"] >= self.settings.max_epochs or waited >= self.settings.patience

    def _epoch(self, examples: LabelExamples) -> None:
        seed = self.settings.seed, self.state["epoch"]
        batches = length_batches(examples.tokens.lengths.numpy(), self.settings.batch_tokens)
        order = np.random.default_rng(seed).permutation(len(batches))
        saved, started = time.monotonic(), time.monotonic()
        for number in order[self.state["step"] :]:
            self._step(examples[torch.from_numpy(batches[number])])
            now = time.monotonic()
            self.state["seconds"] += now - started
            started = now
            if now - saved >= SECONDS_BETWEEN_SAVES:
                self._save()
                saved = time.monotonic()

    def _step(self, batch: LabelExamples) -> None:
        for group, rate, warmup in zip(self.optimizer.param_groups, self.rates, self.warmup, strict=True):
            group["lr"] = rate * min(1.0, (self.state["steps"] + 1) / max(1, warmup))
        with torch.random.fork_rng():  # dropout of a step does not depend on the steps before it
            torch.manual_seed(self.settings.seed + self.state["steps"])
            self.model.train()
            loss = self._losses(batch).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.model.eval()
        real = int(batch.tokens.lengths.sum())
        self.state |= {key: self.state[key] + n for key, n in {"step": 1, "steps": 1, "tokens": real}.items()}

    def _losses(self, batch: LabelExamples) -> Tensor:
        logits = label_logits(self.model, batch.tokens, self.labels)
        return label_loss(logits, batch.allowed.to(logits.device), batch.targets.to(logits.device))

    @torch.no_grad()
    def _validate(self, examples: LabelExamples) -> None:
        started = time.monotonic()
        batches = length_batches(examples.tokens.lengths.numpy(), self.settings.batch_tokens)
        self.model.eval()
        loss = torch.cat([self._losses(examples[torch.from_numpy(rows)]) for rows in batches]).double().mean().item()
        losses = self.state["losses"]
        if not losses or loss < min(losses):
            self.best = {name: tensor.detach().clone() for name, tensor in trained(self.model).items()}
        losses.append(loss)
        self.state["seconds"] += time.monotonic() - started
        self._save()

    def _put(self, weights: dict[str, Tensor]) -> None:
        put(self.model, weights)

    def _save(self) -> None:
        state: dict[str, Any] = {**self.state, "best": self.best}
        if not self._has_ended():
            state |= {"weights": trained(self.model), "optimizer": self.optimizer.state_dict()}
        file = io.BytesIO()
        torch.save(state, file)
        write_atomically(self.path, file.getvalue(), CACHE)

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        saved: dict[str, Any] = torch.load(self.path, map_location=self.model.device, weights_only=True)
        self.best = saved.pop("best")
        self._put(saved.pop("weights", {}))
        if "optimizer" in saved:
            self.optimizer.load_state_dict(saved.pop("optimizer"))
        self.state = saved
        return saved


def trained(model: Any) -> dict[str, Tensor]:
    """The parameters of a model that are trained, by name."""
    return {name: tensor.detach() for name, tensor in model.named_parameters() if tensor.requires_grad}


@torch.no_grad()
def put(model: Any, weights: dict[str, Tensor]) -> None:
    """Write trained parameters into a model."""
    parameters = dict(model.named_parameters())
    for name, tensor in weights.items():
        parameters[name].copy_(tensor)


@torch.inference_mode()
def letter_scores(model: Any, prompts: Tokens, labels: Tensor, allowed: Tensor, batch_tokens: int) -> Tensor:
    """Log-probabilities (n, L) of the allowed labels after each prompt, among the allowed ones; 0 for the others.

    Args:
        model: A causal language model of transformers.
        prompts: The prompts (n).
        labels: (L,) label tokens.
        allowed: (n, L) bool.
        batch_tokens: Tokens in memory at once.
    """
    scores = torch.zeros(allowed.shape)
    batches = length_batches(prompts.lengths.numpy(), batch_tokens)
    for batch in track(batches, "ranking with the language model"):
        rows = torch.from_numpy(batch)
        logits = label_logits(model, prompts[rows], labels).cpu()
        log_probabilities = logits.masked_fill(~allowed[rows], -torch.inf).log_softmax(dim=1)
        scores[rows] = log_probabilities.masked_fill(~allowed[rows], 0.0)
    return scores


def training_path(cache_dir: Path, identity: Any, examples: Sequence[LabelExamples]) -> Path:
    """Where the progress of a training is saved: a name from the content of all that it depends on.

    A release that moves results trains again, as it makes runs again.

    Args:
        cache_dir: The folder of caches.
        identity: Of the model and of the training; any JSON values.
        examples: Of the first epoch, and of validation.
    """
    depends_on = [schema.RESULTS_VERSION, identity]
    name = sha256(json.dumps(depends_on, sort_keys=True, default=repr).encode())
    for each in examples:
        for tensor in (each.tokens.ids, each.allowed, each.targets):
            name.update(repr(tuple(tensor.shape)).encode() + tensor.numpy().tobytes())
    return cache_dir / "trained_language_models" / f"{name.hexdigest()[:32]}.pt"
