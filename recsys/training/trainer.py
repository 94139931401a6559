"""Lightning's Trainer from a configuration, and the weights that it leaves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from safetensors.torch import load_file, save_file
from torch import nn

CHECKPOINTS = "checkpoints"


def build_trainer(node: DictConfig, callbacks: list[Any], loggers: list[Any], build: Any) -> pl.Trainer:
    """The Trainer of `conf/trainer`, with callbacks and loggers."""
    return build("trainer", node, callbacks=callbacks, logger=loggers or False, enable_checkpointing=bool(callbacks))


def last_checkpoint(folder: Path) -> Path | None:
    """Where a killed run left off; None for a new one."""
    path = folder / CHECKPOINTS / "last.ckpt"
    return path if path.exists() else None


def load_best(module: pl.LightningModule, trainer: pl.Trainer) -> None:
    """Put the best validated weights into the module, if checkpoints were kept."""
    callback = trainer.checkpoint_callback
    path = getattr(callback, "best_model_path", "")
    if path:
        module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])


def save_weights(model: nn.Module, path: Path) -> None:
    """Write a model's weights as safetensors, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}, unfinished)
    os.replace(unfinished, path)


def load_weights(model: nn.Module, path: Path) -> None:
    """Read a model's weights back.

    Raises:
        RuntimeError: If they are those of another model.
    """
    model.load_state_dict(load_file(path))
