"""How many optimizer steps one training step of Lightning's loop may take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Settings of a Trainer that mean the same, whether or not Lightning sees each step; with all others it is to see them.
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
PLAIN = {"devices": (1, "1"), "precision": (32, "32", "32-true", 64, "64", "64-true")}


def steps_at_once(trainer: Mapping[str, Any], batch_size: int, examples_at_once: int) -> int:
    """Optimizer steps that one training step of Lightning's loop takes: as many as have `examples_at_once` together.

    It is 1 where Lightning has a part in each step: where it clips or accumulates gradients, scales losses for a
    precision, joins processes, or counts batches.

    Args:
        trainer: Settings of the Trainer.
        batch_size: Examples of a step.
        examples_at_once: How many may be prepared together.

    Example:
        >>> steps_at_once({"max_epochs": 3, "gradient_clip_val": None}, 100, 1000)
        10
        >>> steps_at_once({"max_epochs": 3, "gradient_clip_val": 1.0}, 100, 1000)
        1
    """
    return max(1, examples_at_once // batch_size) if takes_plain_steps(trainer) else 1


def takes_plain_steps(trainer: Mapping[str, Any]) -> bool:
    """Whether Lightning has no part in a step."""
    return all(value in PLAIN.get(key, (None, False)) for key, value in trainer.items() if not _is_indifferent(key))


def _is_indifferent(key: str) -> bool:
    return key.startswith("_") or key in INDIFFERENT
