"""Checks of the Trainer's settings, alone and with the callbacks."""

from __future__ import annotations

from omegaconf import DictConfig

from recsys.config.compose import is_none
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole

LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches", "overfit_batches")


def check_trainer(cfg: DictConfig) -> None:
    """Raise an error for impossible numbers of epochs and batches, and for callbacks without validation.

    Raises:
        ConfigError: With the key, the value and the expected values.
    """
    trainer = cfg.trainer
    for key in ("max_epochs", "min_epochs"):
        check_whole(f"trainer.{key}", trainer.get(key), -1 if key == "max_epochs" else 1, optional=True)
    for key in LIMITS:
        value = trainer.get(key)
        if isinstance(value, float):
            check_number(f"trainer.{key}", value, at_least=0, at_most=1)
        else:
            check_whole(f"trainer.{key}", value, 0, optional=True, reason="; or a share from 0.0 to 1.0")
    if trainer.get("gradient_clip_val") is not None:
        check_number("trainer.gradient_clip_val", trainer.gradient_clip_val, at_least=0)
    if cfg.test and trainer.get("limit_test_batches") == 0:  # None and 1.0 are all batches
        raise ConfigError("trainer.limit_test_batches=0 leaves nothing to test; use test=false.")
    _check_validates(cfg)


def monitors_validation(cfg: DictConfig) -> bool:
    """Whether a callback of a trained ranker monitors a metric."""
    trained = not is_none(cfg.loss)
    return trained and any(node is not None and node.get("monitor") for node in (cfg.callbacks or {}).values())


def _check_validates(cfg: DictConfig) -> None:
    trainer = cfg.trainer
    skips = trainer.get("limit_val_batches") == 0
    is_overridden = trainer.get("fast_dev_run") or trainer.get("overfit_batches")
    if skips and not is_overridden and monitors_validation(cfg):
        raise ConfigError(
            f"trainer.limit_val_batches={trainer.limit_val_batches} skips validation, whose metrics "
            f"callbacks={cfg.choices.callbacks} monitors: use callbacks=none to test the last epoch, or leave "
            "trainer.limit_val_batches out."
        )
