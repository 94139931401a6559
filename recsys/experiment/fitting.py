"""Fitting a configuration on a split: first to choose its number of epochs, then again for the test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from omegaconf import DictConfig, open_dict
from pytorch_lightning.loggers.logger import DummyLogger

from recsys import schema
from recsys.config.compose import copied, is_none, is_outside, plain
from recsys.experiment.build import assemble, build_datamodule, build_trainer, check_validation, fit_ranker
from recsys.experiment.inputs import text_features, user_texts
from recsys.experiment.teacher import teacher_lists
from recsys.rankers.base import Charged
from recsys.support.whole_files import RUNS, write_atomically
from recsys.tracking.field_types import wrong_field
from recsys.tracking.memory import freed_memory_kept
from recsys.tracking.run_folder import CHECKPOINTS
from recsys.training import trainer as training
from recsys.training.datamodule import RecommenderDataModule
from recsys.training.interrupts import signals_passed_on
from recsys.training.module import RecommenderModule
from recsys.training.progress import FitProgress

if TYPE_CHECKING:
    from recsys.data.splits.split import Split

SELECTION = "selection.json"  # in the folder of checkpoints: the result of validation, kept during the refit
REFIT_CHECKPOINTS = "refit"  # in the folder of checkpoints


@dataclass(frozen=True)
class Selection:
    """The result of the validation.

    Attributes:
        metrics: Validation metrics by name.
        epochs: Number of trained epochs; None for a ranker that is not trained by gradient descent.
        best_epochs: Number of epochs until the best validation, and of the refit.
        curve: For each epoch: `epoch`, "train/loss" and the validation metrics.
        seconds: Seconds by stage.
        encoding: The encoder's report on the texts.
        spent: Calls of a server, their tokens and cost; see `Charged`.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    epochs: int | None = None
    best_epochs: int | None = None
    curve: list[dict[str, float]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    encoding: dict[str, Any] = field(default_factory=dict)
    spent: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write it to a run's folder, so that a run that is interrupted in the refit continues with the refit."""
        write_atomically(folder / CHECKPOINTS / SELECTION, json.dumps(asdict(self)).encode(), RUNS)

    @classmethod
    def read(cls, folder: Path) -> Selection | None:
        """The selection in a run's folder; None if validation has not ended, or the file is damaged."""
        try:
            values = json.loads((folder / CHECKPOINTS / SELECTION).read_bytes())
            return cls(**values) if wrong_field(cls, values) is None else None
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return None


@dataclass(frozen=True)
class Fitted:
    """A model that was fitted on a split's train part.

    Attributes:
        module: The module with the model.
        datamodule: The data module of the split.
        encoding: The encoder's report on the texts.
        epochs: Number of trained epochs; None for a ranker that is not trained by gradient descent.
        seconds: Seconds of `encode` (of the run that encoded the texts, if vectors are cached) and `fit`.
    """

    module: RecommenderModule
    datamodule: RecommenderDataModule
    encoding: dict[str, Any]
    epochs: int | None
    seconds: dict[str, float]

    @property
    def refit_seconds(self) -> float:
        """Seconds of a refit: vectors of an encoder that is not fitted on the train items' texts are made only once."""
        is_encoded_anew = bool(self.encoding.get("identity", {}).get("fitted"))
        return sum(self.seconds.values()) - (0.0 if is_encoded_anew else self.encoding.get("seconds", 0.0))


def fit(
    cfg: DictConfig,
    split: Split,
    trainer: pl.Trainer,
    progress: FitProgress,
    stages: Sequence[str],
    checkpoints: Path,
) -> Fitted:
    """A model initialised by the run's seed and fitted on the train part of a split.

    Args:
        cfg: The configuration.
        split: The data.
        trainer: A Trainer with `progress` among its callbacks.
        progress: Measures the training.
        stages: Stages to evaluate afterwards; texts about their users are encoded now.
        checkpoints: The folder that an interrupted run continues from.

    Raises:
        ConfigError: If the configuration does not fit the data.
        RecsysError: If training has diverged.
    """
    check_validation(cfg, split)
    features = text_features(cfg, split)
    pl.seed_everything(cfg.seed, verbose=False)
    module = assemble(cfg, split, features.vectors)
    texts = user_texts(cfg, split, module.recommender.user_prompt)
    users = {} if texts is None else texts.encode_all(stages)
    datamodule = build_datamodule(cfg, split, module.recommender)
    datamodule.check_limits(plain(cfg.trainer), _limited_stages(cfg))
    module.teacher = teacher_lists(cfg, split)
    progress.restart()
    fit_ranker(module, split, features.vectors, cfg.seed)
    if module.loss is not None:
        with freed_memory_kept(), signals_passed_on():
            last = training.last_checkpoint(checkpoints)
            trainer.fit(module, datamodule, ckpt_path=last, weights_only=True)
        training.check_finite(module)
    made = features.report["seconds"] + sum(report["seconds"] for report in users.values())
    return Fitted(
        module,
        datamodule,
        {**features.report, **({"users": users} if users else {})},
        None if module.loss is None else trainer.fit_loop.epoch_progress.current.completed,
        {"encode": made, "fit": progress.seconds},
    )


def _limited_stages(cfg: DictConfig) -> list[str]:
    """The stages in which the Trainer's limits of batches apply; those of the test apply after a refit too."""
    used = {schema.TRAIN: not is_none(cfg.loss), schema.VAL: not is_outside(cfg.ranker), schema.TEST: cfg.test}
    return [stage for stage, is_used in used.items() if is_used]


def known_selection(cfg: DictConfig, folder: Path) -> Selection | None:
    """The selection of an interrupted run, None if validation has not ended; an empty one for outside lists."""
    return Selection() if is_outside(cfg.ranker) else Selection.read(folder)


def refit(cfg: DictConfig, split: Split, best_epochs: int | None, folder: Path) -> Fitted:
    """The configuration, fitted from the run's seed on the larger train part for the selected number of epochs.

    Args:
        cfg: The configuration of the run.
        split: See `Split.refit`.
        best_epochs: Number of epochs; None for a ranker that is not trained by gradient descent.
        folder: The run's folder.
    """
    checkpoints = folder / CHECKPOINTS / REFIT_CHECKPOINTS
    refitted, progress = refit_config(cfg, best_epochs, checkpoints), FitProgress()
    trainer = build_trainer(refitted, [progress])
    trainer.logger = DummyLogger()  # callbacks such as LearningRateMonitor need one
    return fit(refitted, split, trainer, progress, [schema.TEST], checkpoints)


def spent_by(fitted: Fitted) -> dict[str, Any]:
    """Calls of a server by the model, their tokens and cost; empty without a server."""
    ranker = fitted.module.recommender.ranker
    return ranker.spent() if isinstance(ranker, Charged) else {}


def charge(fitted: Fitted, earlier: dict[str, Any]) -> None:
    """Add what the model of the selection has spent: the budget is that of the run, which has two models."""
    ranker = fitted.module.recommender.ranker
    if isinstance(ranker, Charged):
        ranker.charge(earlier)


def refit_config(cfg: DictConfig, best_epochs: int | None, checkpoints: Path) -> DictConfig:
    """The configuration of a fit without validation: without callbacks that monitor a metric, as early stopping."""
    refitted = copied(cfg)
    with open_dict(refitted):
        trainer, callbacks = refitted.trainer, refitted.callbacks or {}
        keeps_last = any(node.get("save_last") for node in callbacks.values() if node is not None)
        if best_epochs is not None:
            trainer.max_epochs, trainer.min_epochs = best_epochs, None
        trainer.limit_val_batches, trainer.num_sanity_val_steps = 0, 0
        refitted.logger = None
        refitted.callbacks = {
            name: node for name, node in callbacks.items() if not is_none(node) and node.get("monitor") is None
        }
        if keeps_last:
            refitted.callbacks.refit_checkpoint = {
                "_target_": "pytorch_lightning.callbacks.ModelCheckpoint",
                "dirpath": str(checkpoints),
                "save_last": True,
                "save_top_k": 0,
                "save_on_train_epoch_end": True,
                "enable_version_counter": False,
            }
    return refitted


def knowledge_of(split: Split, parts: Sequence[str]) -> dict[str, Any]:
    """The data that the tested model was fitted on, for its record.

    Args:
        split: The split whose train part the model was fitted on.
        parts: The parts of the original split that this train part consists of.
    """
    known: dict[str, Any] = {"parts": list(parts), "interactions": split.train.height}
    if split.dataset.has_timestamps and split.train.height:
        newest = int(split.train[schema.TIMESTAMP].max())  # type: ignore[arg-type]
        known["until"] = datetime.fromtimestamp(newest / schema.MICROSECONDS, UTC).isoformat()
    return known
