"""A run's identity: a hash of everything that its results depend on."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from recsys import __version__
from recsys.config.compose import build, plain
from recsys.experiment.inputs import cached_data_fingerprint, written_texts
from recsys.experiment.record_fields import choice_of, label
from recsys.experiment.teacher import TEACHER, teacher_identity, teacher_of
from recsys.schema import WRITTEN
from recsys.support.custom_code.hashes import code_of_names, code_of_object
from recsys.tracking.results_changes import code_of_changes
from recsys.tracking.run_id import LISTS, run_id, targets

_hashed: dict[str, dict[str, Any]] = {}  # code and contents by run id: files may change while a run is being made


def identify(cfg: DictConfig) -> str | None:
    """The run's id, a hash of everything that its results depend on; None while the data has not been read."""
    fingerprint = cached_data_fingerprint(cfg)
    return None if fingerprint is None else _named(cfg, fingerprint)


def _named(cfg: DictConfig, data_fingerprint: str) -> str:
    settings = plain(cfg)
    components = _components(cfg, settings)
    identifier = run_id(settings, data_fingerprint, **components)
    _hashed[identifier] = components
    return identifier


def _components(cfg: DictConfig, settings: dict[str, Any]) -> dict[str, Any]:
    """The code of a run's components, and hashes of the files that it reads, since these may change later."""
    encoder = build("encoder", cfg.encoder)
    contents = {} if encoder is None else {"encoder_content": encoder.identity()}
    if cfg.ranker.get("language_model") is not None:
        contents["language_model_content"] = build("ranker.language_model", cfg.ranker.language_model).identity()
    if cfg.ranker.get(LISTS) is not None:
        contents[LISTS] = build("ranker.lists", cfg.ranker.lists).identity()
    if cfg.get(WRITTEN) is not None:
        contents[WRITTEN] = {texts.about: texts.sha256 for texts in written_texts(cfg)}
    teacher = teacher_of(cfg)
    if teacher is not None:
        contents[TEACHER] = teacher_identity(teacher)
    own = {**code_of_names(targets(settings)), **code_of_object(encoder)}
    code = {"recsys": __version__, **code_of_changes(settings), **own}
    return {"code": code, "contents": contents}


def identity_fields(cfg: DictConfig, identifier: str) -> dict[str, Any]:
    """The fields of a run's record that identify it: its configuration, code and contents."""
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
