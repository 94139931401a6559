"""A finished run as an object: its record, and its model reopened on demand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from recsys.config.compose import build
from recsys.config.trust import recorded
from recsys.schema import ALL, WRITTEN, ConfigError
from recsys.tracking.checksums import check_intact
from recsys.tracking.record import Record
from recsys.tracking.store import RECORD, WEIGHTS, Store

if TYPE_CHECKING:
    from recsys.data.splits.split import Split
    from recsys.training.module import RecommenderModule
    from recsys.training.recommender import Recommender


@dataclass
class Run:
    """One run of the store.

    Attributes:
        record: Its settings and results.
        folder: The folder of its files.
        cfg: Its configuration.
        kept: A cache of results that are computed from the run, by name.
    """

    record: Record
    folder: Path
    cfg: DictConfig = field(repr=False)
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def weights(self) -> Path:
        """The file of the weights that were tested.

        Raises:
            ConfigError: If the run was made without a test, and therefore has no weights.
            RecsysError: If the file has changed since the run was recorded.
        """
        path = self.folder / WEIGHTS
        if not path.is_file():
            raise ConfigError(f"{self.folder} has no {WEIGHTS}: make the run with test=true rerun=true to keep them.")
        check_intact(path, self.record.checksums.get(WEIGHTS))
        return path

    @cached_property
    def split(self) -> Split:
        """The split of the tested model, whose train part the model was fitted on.

        Raises:
            ConfigError: If the data or a text of the key `written` has changed since the run: weights belong to users
                and items by index.
        """
        from recsys.experiment.inputs import load_tested_split

        split, expected = load_tested_split(self.cfg), self.record.protocol.get("split_fingerprint")
        if expected not in (None, split.fingerprint):
            raise ConfigError(
                f"the data of run {self.record.run_id} has changed: its split has the fingerprint {split.fingerprint}, "
                f"expected {expected}. Another version of recsys may number users and items differently, too. Make the "
                "run again."
            )
        self._check_written()
        return split

    def _check_written(self) -> None:
        """Raise an error for written texts that have changed since the run."""
        from recsys.experiment.inputs import written_texts

        found = {texts.about: texts.sha256 for texts in written_texts(self.cfg)}
        expected = self.record.contents.get(WRITTEN) or {}
        if found != expected:
            raise ConfigError(
                f"written={self.cfg.written}: the texts have changed since run {self.record.run_id} was made. Make the "
                "run again."
            )

    def _check_files(self) -> None:
        """Raise an error for files of vectors, and weights of language models, that have changed since the run."""
        for group, content in (("encoder", "encoder_content"), ("ranker.language_model", "language_model_content")):
            expected = self.record.contents.get(content)
            if expected is None:
                continue
            found = build(group, OmegaConf.select(self.cfg, group)).identity()
            if _hashes(found) != _hashes(expected):
                raise ConfigError(
                    f"{group}: the file of vectors or weights has changed since run {self.record.run_id} was made. "
                    "Make the run again."
                )

    @cached_property
    def model(self) -> Recommender:
        """The model with the weights that were tested, in evaluation mode.

        Raises:
            RecsysError: If the weights are missing or damaged, see `weights`.
        """
        from recsys.training.trainer import load_weights

        weights = self.weights
        model = self.new_module().recommender.eval()
        load_weights(model, weights)
        return model

    def check_has_test(self) -> None:
        """Raise an error for a run that was fitted on all interactions, so that none are left to test it on.

        Raises:
            ConfigError: If the run is a refit.
        """
        if self.cfg.test_knowledge == ALL:
            raise ConfigError(
                f"run={self.record.run_id} is fitted on all interactions, the test part included, so it has no test: "
                "give the run that was tested."
            )

    def new_module(self) -> RecommenderModule:
        """A module with the tested model's architecture and untrained weights.

        Raises:
            ConfigError: If a file of vectors or a language model has changed since the run.
        """
        from recsys.experiment.build import assemble
        from recsys.experiment.inputs import text_features

        self._check_files()
        return assemble(self.cfg, self.split, text_features(self.cfg, self.split).vectors)


def _hashes(identity: Any) -> list[str]:
    """The hashes of files in a component's identity, at any depth."""
    if isinstance(identity, list):
        return [found for part in identity for found in _hashes(part)]
    if not isinstance(identity, dict):
        return []
    own = [str(value) for key, value in identity.items() if key.endswith("sha256")]
    return own + _hashes(list(identity.values()))


def finished_run(name: str, runs_dir: str | Path) -> Run:
    """A finished run by its folder, or by its id in a store.

    Raises:
        ConfigError: If there is none.
    """
    folder = Path(name) if Path(name).is_dir() else Path(runs_dir) / name
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (`resolve` follows links, and a link has the run's id)
    record = Store(folder.parent).find(folder.name)
    if record is None or not record.is_finished:
        raise ConfigError(f"there is no finished run in {folder}; recsys runs lists the runs of a store.")
    return Run(record, folder, recorded(record.config, folder / RECORD))
