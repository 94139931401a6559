"""A small language model from scratch on the catalogue's own texts, kept by content."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from recsys.schema import ConfigError

if TYPE_CHECKING:
    from torch import Generator, Tensor

REPORT = "pretraining.json"
VERSION = 1  # raised when this file's code changes what the same settings give
IGNORED = -100  # labels that transformers' losses pass over
MASKED_SHARE = 0.15  # of a text's tokens, in masked language modelling (Devlin et al., 2019)


class Learner(Protocol):
    """What can be pretrained: an encoder with a fresh tokenizer and model."""

    def identity(self) -> dict[str, Any]:
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
        max_length: Longer texts are cut after this many tokens.
        held_out_share: Of the texts, to measure the loss on.
        seed: Of weights, order and masks.

    Raises:
        ConfigError: If a value is impossible.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 2e-3
    max_length: int = 128
    held_out_share: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "max_length"):
            if getattr(self, key) < 1:
                raise ConfigError(f"encoder.pretraining.{key} is {getattr(self, key)}; expected 1 or more.")
        if not self.learning_rate > 0:
            raise ConfigError(f"encoder.pretraining.learning_rate is {self.learning_rate}; expected a positive number.")
        if not 0 <= self.held_out_share < 1:
            raise ConfigError(f"encoder.pretraining.held_out_share is {self.held_out_share}; expected 0 or more, below 1.")

    def identity(self) -> dict[str, Any]:
        """All settings, as plain values."""
        return {"version": VERSION, **asdict(self)}


def pretrained(
    learner: Learner, settings: Pretraining, texts: Sequence[str], cache_dir: Path
) -> tuple[Path, dict[str, Any]]:
    """The folder of a model pretrained on `texts`, and the report of how that went; found there or made.

    The objective is the model's own: causal for a decoder, masked for a model whose tokenizer has a mask token.
    """
    weights = {key: value for key, value in learner.identity().items() if key in ("encoder", "pretraining", "sizes")}
    key = hashlib.sha256(json.dumps([weights, list(texts)], sort_keys=True).encode()).hexdigest()[:32]
    folder = cache_dir / "pretrained" / key
    if not (folder / REPORT).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            _train(learner, settings, texts, unfinished)
            if not folder.exists():  # another process may have been faster, with the same weights
                unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder, json.loads((folder / REPORT).read_text())


def _train(learner: Learner, settings: Pretraining, texts: Sequence[str], folder: Path) -> None:
    import torch

    from recsys.encoders.progress import track

    start = time.perf_counter()
    with torch.random.fork_rng():  # the run's own randomness must not depend on whether weights were found
        torch.manual_seed(settings.seed)
        generator = torch.Generator().manual_seed(settings.seed)
        tokenizer, model = learner.fresh(texts)
        tokens = _tokens(tokenizer, texts, settings.max_length)
        n_held_out = min(round(len(tokens) * settings.held_out_share), len(tokens) - 1)
        order = torch.randperm(len(tokens), generator=generator).tolist()
        held_out, train = [tokens[row] for row in order[:n_held_out]], [tokens[row] for row in order[n_held_out:]]
        steps = [batch for _ in range(settings.epochs) for batch in _batches(train, settings.batch_size, generator)]
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_up_then_fall(len(steps)))
        model.train()
        for batch in track(steps, f"pretraining {model.config.model_type} on the catalogue"):
            loss = model(**_inputs(batch, tokenizer, generator)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        report = {"n_texts": len(train), "n_tokens": sum(map(len, train)), "n_steps": len(steps)}
        report |= _held_out_loss(model, tokenizer, held_out, settings)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / REPORT).write_text(json.dumps({**report, "seconds": time.perf_counter() - start}))


def _tokens(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    causal = tokenizer.mask_token is None
    room = max_length - 2 if causal else max_length
    tokens = tokenizer(list(texts), truncation=True, max_length=room)["input_ids"]
    if causal:  # begin and end of text are learnt as tokens, and an empty text is both
        return [[tokenizer.bos_token_id, *ids, tokenizer.eos_token_id] for ids in tokens]
    return list(tokens)


def _batches(tokens: list[list[int]], batch_size: int, generator: Generator) -> list[list[list[int]]]:
    """Batches of texts of about one length, in random order: little padding, and no curriculum of lengths."""
    import torch

    noise = torch.rand(len(tokens), generator=generator).tolist()
    by_length = sorted(range(len(tokens)), key=lambda row: (len(tokens[row]), noise[row]))
    batches = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    order = torch.randperm(len(batches), generator=generator).tolist()
    return [[tokens[row] for row in batches[place]] for place in order]


def _inputs(batch: list[list[int]], tokenizer: Any, generator: Generator) -> dict[str, Tensor]:
    """Ids (B, L), their mask, and labels: the ids themselves for a causal model, masked tokens for a masked one."""
    import torch

    length = max(map(len, batch))
    ids = torch.tensor([row + [0] * (length - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in batch])
    if tokenizer.mask_token is None:
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, IGNORED)}
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids)) | (mask == 0)
    chosen = (torch.rand(ids.shape, generator=generator) < MASKED_SHARE) & ~special
    labels = ids.masked_fill(~chosen, IGNORED)
    fate = torch.rand(ids.shape, generator=generator)  # of ten chosen tokens, eight are masked, one is swapped, one stays
    swapped = torch.randint(len(tokenizer), ids.shape, generator=generator)
    ids = torch.where(chosen & (fate < 0.8), tokenizer.mask_token_id, ids)
    ids = torch.where(chosen & (fate >= 0.9), swapped, ids)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _held_out_loss(model: Any, tokenizer: Any, held_out: list[list[int]], settings: Pretraining) -> dict[str, float]:
    """Mean loss over predicted tokens, and its exponential."""
    import torch

    if not held_out:
        return {}
    model.eval()
    generator = torch.Generator().manual_seed(settings.seed)
    total, n_tokens = 0.0, 0
    with torch.inference_mode():
        for batch in _batches(held_out, settings.batch_size, generator):
            inputs = _inputs(batch, tokenizer, generator)
            labels = inputs["labels"] if tokenizer.mask_token else inputs["labels"][:, 1:]
            n = int((labels != IGNORED).sum())
            if n:
                total, n_tokens = total + model(**inputs).loss.item() * n, n_tokens + n
    loss = total / max(1, n_tokens)
    return {"held_out_loss": loss, "held_out_perplexity": math.exp(loss)}


def _warm_up_then_fall(n_steps: int) -> Any:
    warm_up = max(1, n_steps // 10)
    return lambda step: min((step + 1) / warm_up, max(0.0, (n_steps - step) / max(1, n_steps - warm_up)))
