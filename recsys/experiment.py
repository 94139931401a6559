"""One run as one straight list: data, encoder, model, trainer, test, record."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys import schema
from recsys.combinations import check
from recsys.config import build, is_none, plain
from recsys.runs import CHECKPOINTS, WEIGHTS, Run
from recsys.tracking.environment import is_first_process
from recsys.tracking.files import write_atomically
from recsys.tracking.memory import freed_memory_kept, peak_mb, reset_peak
from recsys.tracking.record import FAILED, Record
from recsys.tracking.run_id import flatten, run_id
from recsys.tracking.store import Store
from recsys.workspace import cached_data_fingerprint, load_split, text_features, user_texts

if TYPE_CHECKING:
    from pytorch_lightning import Callback

    from recsys.data.splits.base import Split
    from recsys.schema import UserPrompt


@dataclass
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


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
    from recsys.assembly import rehearse

    rehearse(cfg)
    watch = Stopwatch()
    with watch.measure("data"):
        split = load_split(cfg)
    identifier = identifier or identify(cfg)
    assert identifier is not None, "the data has been read"
    store = Store(Path(cfg.paths.runs_dir))
    folder = store.folder(identifier)
    # Further processes of ddp work on the run that the first has locked.
    with store.lock(identifier, wait) if is_first_process() else nullcontext():
        found = _finished(cfg, identifier)  # another process may have made it while this one waited
        if found is not None:
            return found
        return Run(_make(_placed(cfg, folder), identifier, split, watch, callbacks), folder, cfg)


def identify(cfg: DictConfig) -> str | None:
    """The run's name, a hash of all that its results depend on; None while the data has not been read."""
    fingerprint = cached_data_fingerprint(cfg)
    return None if fingerprint is None else _named(cfg, fingerprint)


def _named(cfg: DictConfig, data_fingerprint: str) -> str:
    # Weights are named by their content: a folder may hold others tomorrow.
    identity = build("encoder", cfg.encoder).identity()
    weights = {key: value for key, value in identity.items() if key.endswith("sha256")}
    contents = {"encoder_content": weights}
    if cfg.ranker.get("language_model") is not None:
        contents["language_model_content"] = build("ranker.language_model", cfg.ranker.language_model).identity()
    return run_id({**plain(cfg), **contents}, data_fingerprint)


def find(cfg: DictConfig) -> Run | None:
    """The run of this configuration on this data, finished or failed, if the store has it; imports nothing heavy."""
    return _stored(cfg, identify(cfg))


def _stored(cfg: DictConfig, identifier: str | None) -> Run | None:
    store = Store(Path(cfg.paths.runs_dir))
    record = None if identifier is None else store.find(identifier)
    return None if record is None else Run(record, store.folder(record.run_id), cfg)


def _finished(cfg: DictConfig, identifier: str | None) -> Run | None:
    found = None if cfg.rerun else _stored(cfg, identifier)
    return found if found is not None and found.record.is_finished else None


def record_failure(cfg: DictConfig, error: str) -> Record:
    """Record that a run failed, with its traceback; a run whose data cannot be read is named by its configuration.

    Its checkpoints go: they may hold what made it fail, so a retry begins anew. The record of a finished run stays.
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
    import pytorch_lightning as pl

    from recsys import assembly
    from recsys.training import trainer as training
    from recsys.training.progress import FitProgress
    from recsys.training.quiet import hush

    hush()
    reset_peak()
    folder = Path(cfg.paths.run_dir)
    assembly.set_threads(cfg.num_threads)
    with watch.measure("encode"):
        features = text_features(cfg, split)
    pl.seed_everything(cfg.seed, verbose=False)
    module = assembly.assemble(cfg, split, features.vectors)
    with watch.measure("encode"):
        users = _encoded_users(cfg, split, module.recommender.user_prompt)
    datamodule = assembly.build_datamodule(cfg, split, module.recommender)
    progress = FitProgress()
    trainer = assembly.build_trainer(cfg, [progress, *callbacks])
    for logger in trainer.loggers:
        logger.log_hyperparams(_logged_config(cfg, identifier))
    if module.loss is None:
        with watch.measure("fit"):
            assembly.solve(module, split, features.vectors, cfg.seed)
    else:
        assembly.solve(module, split, features.vectors, cfg.seed)  # what it keeps beside its weights
        with freed_memory_kept():
            trainer.fit(module, datamodule, ckpt_path=training.last_checkpoint(folder), weights_only=True)
        watch.seconds["fit"] = progress.seconds
        training.check_finite(module)
        training.load_best(module, trainer)
    metrics: dict[str, float] = {}
    for stage in _evaluated(cfg, split):
        with watch.measure(stage), freed_memory_kept():
            metrics |= getattr(trainer, stage)(module, datamodule, verbose=False)[0]
    ranking: dict[str, Any] = {}
    if cfg.test and module.recommender.ranker.measured_users:
        with watch.measure("measure"):
            ranking = assembly.measure_ranker(module, datamodule)
    if trainer.is_global_zero and cfg.test:
        write_atomically(folder / WEIGHTS, training.weights_of(module.recommender))
    # What the vectors cost when they were made, whichever run that was.
    made = features.report["seconds"] + sum(report["seconds"] for report in users.values())
    watch.seconds["encode"] = max(watch.seconds["encode"], made)
    record = Record(
        **_identity(cfg, identifier),
        **_measured(module, trainer, watch, metrics),
        **_circumstances(cfg, split),
        encoding={**features.report, **({"users": users} if users else {})},
        ranking=ranking,
        curve=progress.curve,
        segments=module.metrics_of(schema.TEST).segments() if cfg.test else {},
    )
    if not trainer.is_global_zero:
        return record
    Store(folder.parent).save(record, training.per_user(module, split) if cfg.test else None)
    training.finish(trainer, folder, _summary(record))
    return record


def _encoded_users(cfg: DictConfig, split: Split, prompt: UserPrompt | None) -> dict[str, dict[str, Any]]:
    """By stage, how the encoder read the texts about users; nothing where the profile reads none."""
    texts = user_texts(cfg, split, prompt)
    if texts is None:
        return {}
    names = {"validate": schema.VAL, "test": schema.TEST}
    return texts.encode_all([names[stage] for stage in _evaluated(cfg, split)])


def _evaluated(cfg: DictConfig, split: Split) -> list[str]:
    validates = not split.validation.is_empty() and cfg.trainer.get("limit_val_batches") != 0
    stages = ["validate"] if validates else []
    return [*stages, "test"] if cfg.test else stages


def _identity(cfg: DictConfig, identifier: str) -> dict[str, Any]:
    return {
        "run_id": identifier,
        "name": label(cfg),
        "choices": plain(cfg.choices),
        "config": plain(cfg),
        "overrides": list(cfg.overrides),
        "seed": cfg.seed,
        "tags": list(cfg.tags),
        "tuning": plain(cfg.tuning),
    }


def _measured(module: Any, trainer: Any, watch: Stopwatch, metrics: dict[str, float]) -> dict[str, Any]:
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.recommender.parameters()]
    total = sum(watch.seconds.values())
    return {
        "times": {**watch.seconds, "total": total},
        "epochs": None if module.loss is None else trainer.fit_loop.epoch_progress.current.completed,
        "peak_memory_mb": peak_mb(),
        "parameters": {
            "trainable": sum(size for size, trained in sizes if trained),
            "total": sum(size for size, _ in sizes),
        },
        "metrics": {name: float(value) for name, value in metrics.items()},
    }


def _circumstances(cfg: DictConfig, split: Split) -> dict[str, Any]:
    import torch

    from recsys.data.statistics import describe
    from recsys.tracking.environment import git_state, machine, versions

    return {
        "protocol": protocol(cfg, split),
        "data_statistics": describe(split.dataset, split.whole),
        "directions": build("metrics", cfg.metrics).directions(),
        "warnings": split.warnings,
        "versions": versions(),
        "git": git_state(),
        "machine": machine(str(cfg.trainer.accelerator), torch.get_num_threads()),
    }


def _logged_config(cfg: DictConfig, identifier: str) -> dict[str, Any]:
    kept = {key: value for key, value in plain(cfg).items() if key not in ("paths", "overrides", "logger", "callbacks")}
    return {"run_id": identifier, "name": label(cfg), **dict(flatten(kept))}


def _summary(record: Record) -> dict[str, Any]:
    seconds = {f"seconds/{stage}": value for stage, value in record.times.items()}
    weights = {f"weights/{kind}": number for kind, number in record.parameters.items()}
    segments = {f"test/{name}": value for name, value in flatten(record.segments)}
    cost = {"epochs": record.epochs, "peak_memory_mb": record.peak_memory_mb}
    return {**record.metrics, **segments, **seconds, **weights, **cost}


def protocol(cfg: DictConfig, split: Split) -> dict[str, Any]:
    """Everything that must be equal between runs that are compared."""
    metrics = plain(cfg.metrics)
    metrics.pop("_target_")
    return {
        **_limits(cfg),
        "data": split.dataset.name,
        "data_fingerprint": cached_data_fingerprint(cfg),
        "split": split.name,
        "split_fingerprint": split.fingerprint,
        "candidates": "the whole catalogue" if split.dataset.impressions is None else "what was shown",
        "masked": "items known before the stage" if split.dataset.impressions is None else "nothing",
        "metrics": metrics,
        "monitor": cfg.monitor,
        "results_version": schema.RESULTS_VERSION,
    }


def _limits(cfg: DictConfig) -> dict[str, Any]:
    """What makes Lightning test fewer queries than there are, with the size of their batches; nothing, mostly."""
    limits = {key: cfg.trainer.get(key) for key in ("limit_test_batches", "fast_dev_run") if cfg.trainer.get(key)}
    return {**limits, "max_scores": cfg.batches.max_scores} if limits else {}


def label(cfg: DictConfig) -> str:
    """A run in a word or two: "bert+dot", "bert-int8+dot", "cf" on IDs alone, "popularity"."""
    text = None if is_none(cfg.encoder) or cfg.choices.encoder == "none" else cfg.choices.encoder
    if text is not None and (precision := cfg.encoder.get("precision", "float32")) != "float32":
        text = f"{text}-{precision}"  # vectors of its own
    return "+".join(filter(None, [text, cfg.choices.ranker]))


def _placed(cfg: DictConfig, folder: Path) -> DictConfig:
    placed = cfg.copy()
    placed.paths.run_dir = str(folder)
    return placed
