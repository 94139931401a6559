"""How many optimizer steps one training step of Lightning's loop may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, callbacks

# Settings of a Trainer with the same effect whether or not Lightning sees each step. With all others it sees each one.
INDIFFERENT = {
    "accelerator",
    "benchmark",
    "callbacks",
    "check_val_every_n_epoch",
    "default_root_dir",
    "deterministic",
    "detect_anomaly",
    "enable_checkpointing",
    "enable_model_summary",
    "enable_progress_bar",
    "limit_predict_batches",
    "limit_test_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "logger",
    "max_epochs",
    "min_epochs",
    "num_sanity_val_steps",
    "profiler",
    "use_distributed_sampler",
}
# Hooks during training. A callback that has one of them may need each optimizer step to be one of Lightning's loop.
STEP_HOOKS = (
    "on_train_start",
    "on_train_end",
    "on_train_epoch_start",
    "on_train_epoch_end",
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_backward",
    "on_after_backward",
    "on_before_zero_grad",
    "on_before_optimizer_step",
)
# Lightning's classes whose hooks do not depend on single steps, except as `_counts_steps` says.
INDIFFERENT_CALLBACKS = (
    callbacks.EarlyStopping,
    callbacks.LearningRateMonitor,
    callbacks.ModelCheckpoint,
    callbacks.ModelSummary,
    callbacks.ProgressBar,
    callbacks.RichModelSummary,
    callbacks.RichProgressBar,
    callbacks.TQDMProgressBar,
)
PLAIN = {"devices": (1, "1"), "precision": (32, "32", "32-true", 64, "64", "64-true")}


def steps_at_once(trainer: Mapping[str, Any], batch_size: int, examples_per_loop_step: int) -> int:
    """Optimizer steps that one training step of Lightning's loop takes: as many as `examples_per_loop_step` allows.

    It is 1 if Lightning takes part in each step: if it clips or accumulates gradients, scales losses for a precision,
    joins processes, or counts batches.

    Args:
        trainer: Settings of the Trainer.
        batch_size: Examples of an optimizer step.
        examples_per_loop_step: Most examples of one training step of the loop.

    Example:
        >>> steps_at_once({"max_epochs": 3, "gradient_clip_val": None}, 100, 1000)
        10
        >>> steps_at_once({"max_epochs": 3, "gradient_clip_val": 1.0}, 100, 1000)
        1
    """
    return max(1, examples_per_loop_step // batch_size) if _takes_plain_steps(trainer) else 1


def _takes_plain_steps(trainer: Mapping[str, Any]) -> bool:
    """Whether Lightning takes no part in a step."""
    return all(value in PLAIN.get(key, (None, False)) for key, value in trainer.items() if not _is_indifferent(key))


def watches_steps(callback: Callback) -> bool:
    """Whether a callback may need each optimizer step to be one training step of Lightning's loop.

    It does if it has a hook during training (`STEP_HOOKS`), unless that hook is one of Lightning's that is known not to
    depend on steps, or its class sets `watches_training = False`.
    """
    return _counts_steps(callback) or any(_has_hook(callback, hook) for hook in STEP_HOOKS)


def _has_hook(callback: Callback, hook: str) -> bool:
    if hook in vars(callback):  # as LambdaCallback sets them
        return True
    owner = next(cls for cls in type(callback).__mro__ if hook in vars(cls))
    return owner not in (Callback, *INDIFFERENT_CALLBACKS) and vars(owner).get("watches_training", True)


def _counts_steps(callback: Callback) -> bool:
    if isinstance(callback, callbacks.ModelCheckpoint):
        return not callback.every_n_epochs  # then it counts steps or minutes
    return isinstance(callback, callbacks.LearningRateMonitor) and callback.logging_interval != "epoch"


def _is_indifferent(key: str) -> bool:
    return key.startswith("_") or key in INDIFFERENT
