"""One run as a list of steps: find it or read the data, fit, refit, test, save, record."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys import schema
from recsys.config.compatibility import check
from recsys.config.compose import copied, is_outside, plain
from recsys.config.trust import allow_servers_of
from recsys.experiment.finished import Run
from recsys.experiment.inputs import is_refitted, load_first_split, load_tested_split
from recsys.experiment.record_fields import circumstances, logged_config, measured_fields, summary
from recsys.experiment.run_identity import identify, identity_fields
from recsys.experiment.stopwatch import Stopwatch
from recsys.experiment.teacher import teacher_facts
from recsys.schema import ALL, ConfigError, DataError
from recsys.support.whole_files import RUNS, write_atomically
from recsys.tracking.checksums import checksum
from recsys.tracking.environment import is_first_process
from recsys.tracking.leftovers import remove_checkpoints, remove_unfinished, tidy
from recsys.tracking.memory import freed_memory_kept, reset_peak
from recsys.tracking.record import FAILED, Record
from recsys.tracking.run_folder import CHECKPOINTS
from recsys.tracking.run_id import run_id
from recsys.tracking.store import WEIGHTS, Store

if TYPE_CHECKING:
    from pytorch_lightning import Callback, Trainer

    from recsys.data.splits.split import Split
    from recsys.experiment.fitting import Fitted, Selection
    from recsys.training.module import RecommenderModule
    from recsys.training.progress import FitProgress


def run(cfg: DictConfig, callbacks: Sequence[Callback] = (), wait: bool = True) -> Run:
    """The finished run of a configuration: found in the store, resumed from its last epoch, or made.

    Args:
        cfg: The configuration.
        callbacks: Lightning callbacks in addition to those of the configuration; they must not change results.
        wait: Whether to wait for another process that is making the same run.

    Raises:
        ConfigError: If the configuration is impossible, which is found before any data is read where possible.
        DataError: If the data is malformed.
        RecsysError: If training has diverged, or scores are NaN.
        BusyError: If another process is making the run and `wait` is False.
    """
    check(cfg)
    allow_servers_of(plain(cfg))
    identifier = identify(cfg)
    found = _finished(cfg, identifier)
    if found is not None:
        return found
    from recsys.experiment.rehearsal import rehearse

    rehearse(cfg)
    watch = Stopwatch()
    with watch.measure("data"):
        split = load_first_split(cfg)
    identifier = identifier or identify(cfg)
    assert identifier is not None, "the data has been read"
    store = Store(Path(cfg.paths.runs_dir))
    folder = store.folder(identifier)
    is_first = is_first_process()
    if is_first:
        tidy(store.root)
    # With ddp only the first process locks the run.
    with store.lock(identifier, wait) if is_first else nullcontext():
        found = _finished(cfg, identifier)  # another process may have made it while this one waited
        if found is not None:
            return found
        try:
            return Run(_make(_placed(cfg, folder), identifier, split, watch, callbacks), folder, cfg)
        except (ConfigError, DataError):
            if is_first:
                remove_unfinished(folder)
            raise


def find(cfg: DictConfig) -> Run | None:
    """The run of this configuration on this data, finished or failed; None if the store does not have it."""
    return _stored(cfg, identify(cfg))


def _stored(cfg: DictConfig, identifier: str | None) -> Run | None:
    store = Store(Path(cfg.paths.runs_dir))
    record = None if identifier is None else store.find(identifier)
    return None if record is None else Run(record, store.folder(record.run_id), cfg)


def _finished(cfg: DictConfig, identifier: str | None) -> Run | None:
    found = None if cfg.rerun else _stored(cfg, identifier)
    if found is None or not found.record.is_finished:
        return None
    if not Store(Path(cfg.paths.runs_dir)).is_whole(found.record):
        return None
    remove_checkpoints(found.folder)  # they are left if it was interrupted after its record was written
    return found


def record_failure(cfg: DictConfig, error: str) -> Record:
    """Record that a run failed, with its traceback; a run whose data cannot be read is named by its configuration.

    Its checkpoints are removed, as they may contain the cause of the failure: a retry starts again. The record of a
    finished run stays.

    Raises:
        RecordError: If there is a record that cannot be read; it stays.
    """
    identifier, store = identify(cfg) or run_id(plain(cfg), "unread"), Store(Path(cfg.paths.runs_dir))
    found = store.find(identifier)
    if found is not None and found.is_finished:
        return found
    shutil.rmtree(store.folder(identifier) / CHECKPOINTS, ignore_errors=True)
    record = Record(**identity_fields(cfg, identifier), protocol={}, status=FAILED, error=error)
    store.save(record)
    return record


def _make(cfg: DictConfig, identifier: str, split: Split, watch: Stopwatch, callbacks: Sequence[Callback]) -> Record:
    """Train, test and record: the steps of a run after its data was read."""
    from recsys.experiment.fitting import knowledge_of, spent_by
    from recsys.experiment.outside import describe_lists, measured, measured_segments
    from recsys.training import trainer as training

    folder = Path(cfg.paths.run_dir)
    trainer, progress = _prepare(cfg, identifier, callbacks)
    fitted, selection, tested = _fit(cfg, split, trainer, progress, watch)
    module = fitted.module
    outside, warnings = describe_lists(cfg, module.recommender.ranker, tested)
    metrics, ranking = _test(cfg, trainer, fitted, watch) if cfg.test else ({}, {})
    spent = spent_by(fitted)
    ranking |= {"calls": spent} if spent else {}
    checksums = _save_weights(cfg, module) if trainer.is_global_zero else {}
    record = Record(
        **identity_fields(cfg, identifier),
        **measured_fields(module, watch.seconds, {**selection.metrics, **metrics}),
        **circumstances(cfg, split, warnings),
        epochs=selection.epochs,
        encoding=_encoding(selection, fitted),
        ranking=ranking,
        curve=selection.curve,
        fitted_on={**knowledge_of(tested, _parts_of(cfg, split)), "epochs": selection.best_epochs},
        outside=outside,
        teacher=teacher_facts(cfg),
        segments=measured_segments(cfg, module) if cfg.test else {},
        checksums=checksums,
    )
    if not trainer.is_global_zero:
        return record
    per_user = measured(cfg, module, training.per_user(module, tested)) if cfg.test else None
    record = Store(folder.parent).save(record, per_user)
    training.finish(trainer, folder, summary(record))
    return record


def _prepare(cfg: DictConfig, identifier: str, callbacks: Sequence[Callback]) -> tuple[Trainer, FitProgress]:
    """The trainer with its callbacks and loggers, and the callback that counts epochs and seconds."""
    from pytorch_lightning.loggers import CSVLogger

    from recsys.experiment.build import build_trainer, set_threads
    from recsys.training.log_filters import hush
    from recsys.training.progress import FitProgress

    hush()
    reset_peak()
    progress = FitProgress()
    set_threads(cfg.num_threads)
    trainer = build_trainer(cfg, [progress, *callbacks])
    for logger in trainer.loggers:
        if not isinstance(logger, CSVLogger):  # its file would repeat the record's configuration
            logger.log_hyperparams(logged_config(cfg, identifier))
    return trainer, progress


def _fit(
    cfg: DictConfig, split: Split, trainer: Trainer, progress: FitProgress, watch: Stopwatch
) -> tuple[Fitted, Selection, Split]:
    """The model to test, the result of validation, and the split that the model was fitted on."""
    from recsys.experiment.fitting import charge, known_selection, refit

    if not is_refitted(cfg, split):
        return *_select(cfg, split, trainer, progress, watch), split
    folder = Path(cfg.paths.run_dir)
    selection = known_selection(cfg, folder)
    if selection is None:
        _, selection = _select(cfg, split, trainer, progress, watch)
    else:
        watch.seconds |= selection.seconds
    if trainer.is_global_zero:
        selection.write(folder)
    tested = load_tested_split(cfg)
    fitted = refit(cfg, tested, selection.best_epochs, folder)
    watch.seconds["refit"] = fitted.refit_seconds
    charge(fitted, selection.spent)
    return fitted, selection, tested


def _test(
    cfg: DictConfig, trainer: Trainer, fitted: Fitted, watch: Stopwatch
) -> tuple[dict[str, float], dict[str, Any]]:
    """The test metrics, and the biases of a ranker that is `Diagnosable`."""
    from recsys.experiment.build import measure_ranker
    from recsys.experiment.outside import measured
    from recsys.rankers.base import Diagnosable
    from recsys.training.interrupts import signals_passed_on

    module, ranker = fitted.module, fitted.module.recommender.ranker
    with watch.measure("test"), freed_memory_kept(), signals_passed_on():
        found = trainer.test(module, fitted.datamodule, verbose=False)[0]
    metrics: dict[str, float] = measured(cfg, module, dict(found), f"{schema.TEST}/")
    if not isinstance(ranker, Diagnosable) or not ranker.n_diagnostic_users:
        return metrics, {}
    with watch.measure("measure"):
        return metrics, measure_ranker(ranker, fitted.datamodule)


def _save_weights(cfg: DictConfig, module: RecommenderModule) -> dict[str, str]:
    """The checksum of the weights' file by its name; empty for a trial of a search, whose weights are not kept."""
    from recsys.training import trainer as training

    if not cfg.test and cfg.test_knowledge != ALL:
        return {}
    weights = training.weights_of(module.recommender)
    write_atomically(Path(cfg.paths.run_dir) / WEIGHTS, weights, RUNS)
    return {WEIGHTS: checksum(weights)}


def _select(
    cfg: DictConfig, split: Split, trainer: Trainer, progress: FitProgress, watch: Stopwatch
) -> tuple[Fitted, Selection]:
    """The model fitted on the train part alone, with the weights of the best validation."""
    from recsys.experiment.fitting import Selection, fit, spent_by
    from recsys.training import trainer as training
    from recsys.training.interrupts import signals_passed_on

    tests_it = cfg.test and not is_refitted(cfg, split)
    validates = not split.validation.is_empty() and cfg.trainer.get("limit_val_batches") != 0
    validates = validates and not is_outside(cfg.ranker)
    stages = [*([schema.VAL] if validates else []), *([schema.TEST] if tests_it else [])]
    checkpoints = Path(cfg.paths.run_dir) / CHECKPOINTS
    fitted = fit(cfg, split, trainer, progress, stages, checkpoints)
    watch.seconds |= fitted.seconds
    best_epochs = None if fitted.epochs is None else training.load_best(fitted.module, trainer)
    metrics: dict[str, float] = {}
    if validates:
        with watch.measure("validate"), freed_memory_kept(), signals_passed_on():
            metrics = dict(trainer.validate(fitted.module, fitted.datamodule, verbose=False)[0])
    seconds = dict(watch.seconds)
    return fitted, Selection(
        metrics, fitted.epochs, best_epochs, progress.curve, seconds, fitted.encoding, spent_by(fitted)
    )


def _encoding(selection: Selection, fitted: Fitted) -> dict[str, Any]:
    """The report of the tested model's encoder; its part on validation users is from before the refit."""
    users = {**selection.encoding.get("users", {}), **fitted.encoding.get("users", {})}
    report = {**fitted.encoding, **({"users": users} if users else {})}
    if "cached" in report:  # the refit finds the vectors that the selection encoded
        report["cached"] = all(own.get("cached", True) for own in (selection.encoding, fitted.encoding))
    return report


def _parts_of(cfg: DictConfig, split: Split) -> list[str]:
    if cfg.test_knowledge == ALL:
        return [schema.TRAIN, schema.VAL, schema.TEST]
    return [schema.TRAIN, schema.VAL] if is_refitted(cfg, split) else [schema.TRAIN]


def _placed(cfg: DictConfig, folder: Path) -> DictConfig:
    placed = copied(cfg)
    placed.paths.run_dir = str(folder)
    return placed
