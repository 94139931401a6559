"""One run as one straight list: data, encoder, model, trainer, test, record."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys import __version__, schema
from recsys.config.compatibility import check
from recsys.config.compose import build, copied, is_outside, plain
from recsys.experiment.built_once import metric_suite
from recsys.experiment.finished import Run
from recsys.experiment.inputs import (
    cached_data_fingerprint,
    is_refitted,
    load_first_split,
    load_tested_split,
    written_texts,
)
from recsys.experiment.record_fields import choice_of, label, logged_config, measured_fields, protocol, summary
from recsys.experiment.stopwatch import Stopwatch
from recsys.schema import ALL, WRITTEN, ConfigError, DataError
from recsys.support.custom_code.hashes import code_of_names, code_of_object
from recsys.support.whole_files import write_atomically
from recsys.tracking.checksums import checksum
from recsys.tracking.environment import is_first_process
from recsys.tracking.leftovers import remove_checkpoints, remove_unfinished, tidy
from recsys.tracking.memory import freed_memory_kept, reset_peak
from recsys.tracking.record import FAILED, Record
from recsys.tracking.run_folder import CHECKPOINTS
from recsys.tracking.run_id import LISTS, run_id, targets
from recsys.tracking.store import WEIGHTS, Store

if TYPE_CHECKING:
    from pytorch_lightning import Callback, Trainer

    from recsys.data.splits.split import Split
    from recsys.experiment.fitting import Fitted, Selection
    from recsys.training.progress import FitProgress


def run(cfg: DictConfig, callbacks: Sequence[Callback] = (), wait: bool = True) -> Run:
    """The finished run of a configuration: found in the store, resumed from its last epoch, or made.

    Args:
        cfg: The configuration.
        callbacks: Lightning callbacks beside those of the configuration; they must not move results.
        wait: Whether to wait for another process that is making the same run.

    Raises:
        ConfigError: If the configuration is impossible; before any data is read.
        DataError: If the data is malformed.
        BusyError: If another process is making the run and `wait` is False.
    """
    check(cfg)
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
    # Further processes of ddp work on the run that the first has locked.
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


def identify(cfg: DictConfig) -> str | None:
    """The run's name, a hash of all that its results depend on; None while the data has not been read."""
    fingerprint = cached_data_fingerprint(cfg)
    return None if fingerprint is None else _named(cfg, fingerprint)


def _named(cfg: DictConfig, data_fingerprint: str) -> str:
    settings = plain(cfg)
    components = _components(cfg, settings)
    identifier = run_id(settings, data_fingerprint, **components)
    _hashed[identifier] = components
    return identifier


_hashed: dict[str, dict[str, Any]] = {}  # code and contents by run id: files may change while a run is being made


def _components(cfg: DictConfig, settings: dict[str, Any]) -> dict[str, Any]:
    """The code of a run's components, and the content of its weights: a folder may hold others tomorrow."""
    encoder = build("encoder", cfg.encoder)
    contents = {} if encoder is None else {"encoder_content": encoder.identity()}
    if cfg.ranker.get("language_model") is not None:
        contents["language_model_content"] = build("ranker.language_model", cfg.ranker.language_model).identity()
    if cfg.ranker.get(LISTS) is not None:
        contents[LISTS] = build("ranker.lists", cfg.ranker.lists).identity()
    if cfg.get(WRITTEN) is not None:
        contents[WRITTEN] = {texts.about: texts.sha256 for texts in written_texts(cfg)}
    code = {"recsys": __version__, **code_of_names(targets(settings)), **code_of_object(encoder)}
    return {"code": code, "contents": contents}


def find(cfg: DictConfig) -> Run | None:
    """The run of this configuration on this data, finished or failed, if the store has it; imports nothing heavy."""
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
    remove_checkpoints(found.folder)  # where it was killed after its record was written
    return found


def record_failure(cfg: DictConfig, error: str) -> Record:
    """Record that a run failed, with its traceback; a run whose data cannot be read is named by its configuration.

    Its checkpoints go: they may hold what made it fail, so a retry begins anew. The record of a finished run stays.

    Raises:
        RecordError: If there is a record that cannot be read; it stays.
    """
    identifier, store = identify(cfg) or run_id(plain(cfg), "unread"), Store(Path(cfg.paths.runs_dir))
    found = store.find(identifier)
    if found is not None and found.is_finished:
        return found
    shutil.rmtree(store.folder(identifier) / CHECKPOINTS, ignore_errors=True)
    record = Record(**_identity(cfg, identifier), protocol={}, status=FAILED, error=error)
    store.save(record)
    return record


def _make(cfg: DictConfig, identifier: str, split: Split, watch: Stopwatch, callbacks: Sequence[Callback]) -> Record:
    from recsys.experiment.build import build_trainer, measure_ranker, set_threads
    from recsys.experiment.fitting import knowledge_of, known_selection, refit
    from recsys.experiment.outside import describe_lists, measured, measured_segments
    from recsys.rankers.base import Diagnosable
    from recsys.training import trainer as training
    from recsys.training.interrupts import signals_passed_on
    from recsys.training.log_filters import hush
    from recsys.training.progress import FitProgress

    hush()
    reset_peak()
    folder, progress = Path(cfg.paths.run_dir), FitProgress()
    set_threads(cfg.num_threads)
    trainer = build_trainer(cfg, [progress, *callbacks])
    for logger in trainer.loggers:
        logger.log_hyperparams(logged_config(cfg, identifier))
    refits, fitted = is_refitted(cfg, split), None
    selection = known_selection(cfg, folder) if refits else None
    if selection is None:
        fitted, selection = _select(cfg, split, trainer, progress, watch)
    else:
        watch.seconds |= selection.seconds
    tested = split
    if refits:
        if trainer.is_global_zero:
            selection.write(folder)
        tested = load_tested_split(cfg)
        fitted = refit(cfg, tested, selection.best_epochs, folder)
        watch.seconds["refit"] = sum(fitted.seconds.values())
    assert fitted is not None, "it was fitted now, or is refitted"
    module, metrics, ranking = fitted.module, dict(selection.metrics), {}
    outside, warnings = describe_lists(cfg, module.recommender.ranker, tested)
    if cfg.test:
        with watch.measure("test"), freed_memory_kept(), signals_passed_on():
            tested_metrics = trainer.test(module, fitted.datamodule, verbose=False)[0]
        metrics |= measured(cfg, module, dict(tested_metrics), f"{schema.TEST}/")
        ranker = module.recommender.ranker
        if isinstance(ranker, Diagnosable) and ranker.n_diagnostic_users:
            with watch.measure("measure"):
                ranking = measure_ranker(ranker, fitted.datamodule)
    checksums = {}
    if trainer.is_global_zero and (cfg.test or cfg.test_knowledge == ALL):
        weights = training.weights_of(module.recommender)
        write_atomically(folder / WEIGHTS, weights)
        checksums[WEIGHTS] = checksum(weights)
    record = Record(
        **_identity(cfg, identifier),
        **measured_fields(module, watch.seconds, metrics),
        **_circumstances(cfg, split, warnings),
        epochs=selection.epochs,
        encoding=_encoding(selection, fitted),
        ranking=ranking,
        curve=selection.curve,
        fitted_on={**knowledge_of(tested, _parts_of(cfg, refits)), "epochs": selection.best_epochs},
        outside=outside,
        segments=measured_segments(cfg, module) if cfg.test else {},
        checksums=checksums,
    )
    if not trainer.is_global_zero:
        return record
    per_user = measured(cfg, module, training.per_user(module, tested)) if cfg.test else None
    record = Store(folder.parent).save(record, per_user)
    training.finish(trainer, folder, summary(record))
    return record


def _select(
    cfg: DictConfig, split: Split, trainer: Trainer, progress: FitProgress, watch: Stopwatch
) -> tuple[Fitted, Selection]:
    """The model that is fitted on the train part alone, with the weights that validation chose."""
    from recsys.experiment.fitting import Selection, fit
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
    return fitted, Selection(metrics, fitted.epochs, best_epochs, progress.curve, dict(watch.seconds), fitted.encoding)


def _encoding(selection: Selection, fitted: Fitted) -> dict[str, Any]:
    """How the tested model's encoder read the texts; those about validated users were read before the refit."""
    users = {**selection.encoding.get("users", {}), **fitted.encoding.get("users", {})}
    return {**fitted.encoding, **({"users": users} if users else {})}


def _parts_of(cfg: DictConfig, refits: bool) -> list[str]:
    if cfg.test_knowledge == ALL:
        return [schema.TRAIN, schema.VAL, schema.TEST]
    return [schema.TRAIN, schema.VAL] if refits else [schema.TRAIN]


def _identity(cfg: DictConfig, identifier: str) -> dict[str, Any]:
    return {
        "run_id": identifier,
        "name": label(cfg),
        "choices": {group: choice_of(cfg, group) for group in plain(cfg.choices)},
        "config": plain(cfg),
        "overrides": list(cfg.overrides),
        "seed": cfg.seed,
        "tags": list(cfg.tags),
        "tuning": plain(cfg.tuning),
        **_hashed.get(identifier, {}),
    }


def _circumstances(cfg: DictConfig, split: Split, warnings: Sequence[str]) -> dict[str, Any]:
    import torch

    from recsys.data.description import describe
    from recsys.tracking.environment import git_state, machine, versions

    return {
        "protocol": protocol(cfg, split),
        "data_statistics": describe(split.dataset, split.whole),
        "directions": metric_suite(cfg).directions(),
        "warnings": [*split.warnings, *warnings],
        "versions": versions(),
        "git": git_state(),
        "machine": machine(str(cfg.trainer.accelerator), torch.get_num_threads()),
    }


def _placed(cfg: DictConfig, folder: Path) -> DictConfig:
    placed = copied(cfg)
    placed.paths.run_dir = str(folder)
    return placed
