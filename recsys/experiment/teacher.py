"""The teacher of a distilled model: a finished run, and its cached lists of scores."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys import schema
from recsys.config.compose import is_outside
from recsys.config.traits import traits_of
from recsys.experiment.finished import Run, finished_run
from recsys.experiment.inputs import cache_dir
from recsys.schema import ConfigError
from recsys.support.number_checks import check_number, check_whole
from recsys.support.whole_files import CACHE, write_atomically
from recsys.tracking.origins import language_models
from recsys.tracking.store import WEIGHTS

if TYPE_CHECKING:
    from recsys.data.splits.split import Split
    from recsys.training.teacher_lists import TeacherLists

TEACHER = "teacher"  # key of the loss, its trait, and entry of the record's contents
FOLDER = "teachers"  # in the cache


def teacher_of(cfg: DictConfig) -> Run | None:
    """The finished run that is the teacher of a configuration's loss; None for a loss without a teacher.

    A model that is fitted on all interactions for production is not tested, so any teacher is allowed.

    Raises:
        ConfigError: If there is no such run, or its model may have been fitted on more than the train part.
    """
    if not traits_of(cfg.loss).get(TEACHER, False):
        return None
    name = cfg.loss.teacher
    _check_values(cfg.loss)
    if name is None:
        raise ConfigError(f"loss={cfg.choices.loss} needs loss.teacher=<a run's id>; recsys runs lists them.")
    teacher = finished_run(str(name), cfg.paths.runs_dir)
    _check_knowledge(cfg, teacher)
    if is_outside(teacher.cfg.ranker):
        raise ConfigError(f"loss.teacher={name} has lists of another program: choose a run that recsys trained.")
    _check_candidates(cfg, teacher)
    return teacher


def _check_knowledge(cfg: DictConfig, teacher: Run) -> None:
    knows = teacher.record.config.get("test_knowledge")
    if cfg.test_knowledge == schema.ALL or cfg.test_knowledge == knows == schema.TRAIN_ONLY:
        return
    raise ConfigError(
        f"loss.teacher={cfg.loss.teacher} has test_knowledge={knows}, and this run {cfg.test_knowledge}: both need "
        f"test_knowledge={schema.TRAIN_ONLY}, so that the teacher was not fitted on validation interactions."
    )


def _check_values(loss: DictConfig) -> None:
    check_whole("loss.n_candidates", loss.n_candidates, 2)
    check_number("loss.temperature", loss.temperature, above=0)
    check_number("loss.weight", loss.weight, at_least=0, at_most=1)


def _check_candidates(cfg: DictConfig, teacher: Run) -> None:
    ranker = teacher.cfg.ranker
    if ranker.get("retriever") is not None and cfg.loss.n_candidates > ranker.get("top_n", cfg.loss.n_candidates):
        raise ConfigError(
            f"loss.n_candidates is {cfg.loss.n_candidates}, but loss.teacher={cfg.loss.teacher} ranks "
            f"{ranker.top_n} candidates of its retriever: use at most that many."
        )


def teacher_identity(teacher: Run) -> dict[str, Any]:
    """The teacher's run id and the checksum of its weights, on which a distilled run depends."""
    return {"run_id": teacher.record.run_id, "weights": teacher.record.checksums.get(WEIGHTS)}


def teacher_facts(cfg: DictConfig) -> dict[str, Any]:
    """The teacher of a distilled run and the language models behind it, for the record; empty without a teacher.

    Language models and written texts of the teacher's own teacher are included.

    Returns:
        `run_id` and `name`, the `pretrained` weights that it used, and `written`: whether it used written texts.
    """
    teacher = teacher_of(cfg)
    if teacher is None:
        return {}
    record = teacher.record
    is_written = bool(record.contents.get(schema.WRITTEN)) or bool(record.teacher.get(schema.WRITTEN))
    facts = {"run_id": record.run_id, "name": record.name}
    return {**facts, "pretrained": language_models(record), schema.WRITTEN: is_written}


def teacher_lists(cfg: DictConfig, split: Split) -> TeacherLists | None:
    """The teacher's best items of each train user, from the cache or computed; None for a loss without a teacher.

    The teacher scores from the train histories of `split` only; in a fit on all interactions, these are the whole
    histories. Items without train interactions in this split or in the teacher's are no candidates, as they are no
    negatives. Users without train interactions have no candidates.

    Args:
        cfg: The configuration of the distilled model.
        split: The data of its training.

    Raises:
        ConfigError: If the teacher was fitted on other data or another split, or reads texts about users.
    """
    teacher = teacher_of(cfg)
    if teacher is None:
        return None
    _check_same_data(cfg, teacher, split)
    parts = [*teacher_identity(teacher).values(), split.fingerprint, cfg.loss.n_candidates]
    if cfg.test_knowledge != schema.TRAIN_ONLY:
        parts.append(cfg.test_knowledge)  # histories differ
    path = cache_dir(cfg) / FOLDER / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.npz"
    found = _read(path)
    if found is None:
        found = _computed(teacher, split, cfg.loss.n_candidates)
        _write(path, found)
    return found


def _check_same_data(cfg: DictConfig, teacher: Run, split: Split) -> None:
    from recsys.data.queries import has_impressions

    if has_impressions(split):
        raise ConfigError(f"loss={cfg.choices.loss} needs data without impressions, not data={cfg.choices.data}.")
    differing = [key for key in ("train_share", "train_per_user") if cfg.get(key) != teacher.cfg.get(key)]
    if teacher.record.protocol.get("split_fingerprint") != split.fingerprint:
        differing.insert(0, "data or split")
    elif not teacher.split.dataset.items[schema.ITEM_ID].equals(split.dataset.items[schema.ITEM_ID]):
        differing.insert(0, "the items that its encoder keeps")
    if differing:
        raise ConfigError(
            f"loss.teacher={cfg.loss.teacher} differs from this run in {' and '.join(differing)}: distillation needs a "
            "teacher that was fitted on the same train part."
        )
    if teacher.model.user_prompt is not None:
        raise ConfigError(f"loss.teacher={cfg.loss.teacher} reads texts about users: choose a teacher without them.")


def _computed(teacher: Run, split: Split, n_candidates: int) -> TeacherLists:
    import torch

    from recsys.data.queries import histories
    from recsys.schema import UserBatch
    from recsys.training.batches import TensorLists
    from recsys.training.teacher_lists import TeacherLists

    model, history = teacher.model, histories(split, schema.TRAIN)
    lists, n_items = TensorLists(history), split.dataset.n_items
    width = min(n_candidates, n_items)
    items = torch.zeros(len(history), width, dtype=torch.int32)
    scores = torch.full((len(history), width), -torch.inf)
    length = model.history_length(teacher.cfg.batches.max_history)
    cold = torch.from_numpy((split.item_counts == 0) | (teacher.split.item_counts == 0))
    users = torch.from_numpy((history.lengths > 0) & teacher.split.warm_users).nonzero().squeeze(1)
    with torch.no_grad():
        vectors = model.item_vectors(n_items)
        for rows in users.split(max(1, teacher.cfg.batches.max_scores // max(1, n_items))):
            batch = UserBatch(rows, *lists.newest(rows, None, length))
            found = model.score_catalogue(batch, vectors).float().clone()
            seen = torch.from_numpy(history.pairs(rows.numpy()))
            found[seen[0], seen[1]] = -torch.inf
            found[:, cold] = -torch.inf
            best = found.topk(width)
            items[rows], scores[rows] = best.indices.int(), best.values
    return TeacherLists(items, scores)


def _read(path: Path) -> TeacherLists | None:
    """The lists in a file; None if it is missing or damaged."""
    import numpy as np
    import torch

    from recsys.training.teacher_lists import TeacherLists

    try:
        with np.load(path, allow_pickle=False) as file:
            return TeacherLists(torch.from_numpy(file["items"]), torch.from_numpy(file["scores"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, lists: TeacherLists) -> None:
    import numpy as np

    content = io.BytesIO()
    np.savez(content, items=lists.items.numpy(), scores=lists.scores.numpy())
    write_atomically(path, content.getvalue(), CACHE)
