"""One run as one straight list: data, encoder, model, trainer, test, record."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf, open_dict

from recsys import schema
from recsys.config import check, is_none
from recsys.run import WEIGHTS, Run
from recsys.tracking.memory import peak_mb, reset_peak
from recsys.tracking.run_id import run_id
from recsys.tracking.store import Store
from recsys.workspace import data_fingerprint, load_split, text_features

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

    from recsys.data.splits.base import Split
    from recsys.tracking.record import Record
    from recsys.training.datamodule import RecommenderDataModule
    from recsys.training.module import RecommenderModule

log = logging.getLogger(__name__)


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


def run(cfg: DictConfig) -> Run:
    """The finished run of a configuration: found in the store, resumed from its last checkpoint, or made.

    Raises:
        ConfigError: If the configuration is impossible; before any data is read.
        DataError: If the data is malformed.
    """
    check(cfg)
    found = find(cfg)
    if found is not None and not cfg.rerun:
        return found
    _rehearse(cfg)
    store = Store(Path(cfg.paths.runs_dir))
    watch = Stopwatch()
    with watch.measure("data"):
        split = load_split(cfg)
    identifier = identify(cfg)
    with store.lock(identifier):
        found = find(cfg)  # another process may have finished it while this one waited
        if found is not None and not cfg.rerun:
            return found
        return Run(_make(cfg, store, identifier, split, watch), store.folder(identifier), cfg)


def find(cfg: DictConfig) -> Run | None:
    """The finished run of this configuration on this data, if the store has it; imports nothing heavy."""
    identifier = identify(cfg)
    if identifier is None:
        return None
    store = Store(Path(cfg.paths.runs_dir))
    record = store.find(identifier)
    return Run(record, store.folder(identifier), cfg) if record is not None and record.status == "finished" else None


def identify(cfg: DictConfig) -> str | None:
    """The run's name, a hash of all that its results depend on; None while the data has not been read."""
    fingerprint = data_fingerprint(cfg)
    return None if fingerprint is None else run_id(OmegaConf.to_container(cfg), fingerprint)


def _make(cfg: DictConfig, store: Store, identifier: str, split: Split, watch: Stopwatch) -> Record:
    import pytorch_lightning as pl
    import torch

    reset_peak()
    if cfg.num_threads:
        torch.set_num_threads(cfg.num_threads)
    folder = store.folder(identifier)
    cfg = _in_folder(cfg, folder)
    with watch.measure("encode"):
        features = text_features(cfg, split)
    pl.seed_everything(cfg.seed, verbose=False)
    module, datamodule = assemble(cfg, split, features.vectors)
    trainer = build_trainer(cfg)
    if module.loss is not None:
        with watch.measure("fit"):
            trainer.fit(module, datamodule, ckpt_path=_last_checkpoint(folder), weights_only=True)
        _load_best(module, trainer)
    with watch.measure("validate"):
        validation = trainer.validate(module, datamodule, verbose=False)[0]
    with watch.measure("test"):
        test = trainer.test(module, datamodule, verbose=False)[0]
    save_weights(module.recommender, folder / WEIGHTS)
    ...
