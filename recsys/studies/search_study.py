"""The Optuna study of a cell's trials: its key, seeds, number of trials, and the direction of its value."""

from __future__ import annotations

import json
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys.config.compose import plain
from recsys.experiment.built_once import metric_suite
from recsys.experiment.inputs import load_split
from recsys.experiment.run_identity import identify
from recsys.experiment.teacher import TEACHER
from recsys.schema import REFIT
from recsys.studies.cell_space import CellSpace
from recsys.studies.plan import PlannedCell, compose_run
from recsys.studies.storage import key_of
from recsys.studies.trials import MAX_SECONDS, TrialBudget
from recsys.tracking.study_record import study_folder

if TYPE_CHECKING:
    import optuna

    from recsys.studies.grid import SearchGrid

FIRST_SEED = 1000  # first tuning seed, larger than the usual seeds of a study
DEFAULTS_FIRST = "defaults_first"  # key of `search`: the first trial has the cell's own settings


def folder_of(cfg: DictConfig) -> Path:
    """The folder of a study, with its trials and their claims."""
    return study_folder(Path(cfg.paths.runs_dir), cfg.study.name)


def tuning_seeds(cfg: DictConfig) -> list[int]:
    """The seeds of a trial's runs: the first `search.seeds` numbers from 1000 on that are no seeds of the study.

    So a study keeps its search if it gets more seeds later.
    """
    tested = set(cfg.study.seeds)
    return list(islice((seed for seed in count(FIRST_SEED) if seed not in tested), int(cfg.search.seeds)))


def maximises(cfg: DictConfig) -> bool:
    """Whether higher values of the run's monitored metric are better."""
    return bool(metric_suite(cfg).directions()[cfg.monitor.partition("/")[2]])


def budget(cfg: DictConfig, space: CellSpace) -> TrialBudget:
    """The budget of a cell's trials: a grid may have fewer combinations than `search.n_trials`."""
    n_trials = int(cfg.search.n_trials)
    n = min(len(search_grid(cfg, space)), n_trials) if is_grid(cfg) else n_trials
    return TrialBudget(n, cfg.search.get(MAX_SECONDS))


def is_grid(cfg: DictConfig) -> bool:
    """Whether the search tries the combinations of a grid."""
    return "GridSampler" in str(cfg.search.sampler._target_)


def search_grid(cfg: DictConfig, space: CellSpace) -> SearchGrid:
    """The grid of a grid search."""
    from recsys.studies.grid import SearchGrid

    return SearchGrid(space, int(cfg.search.points), int(cfg.search.seed))


def search_key(cfg: DictConfig, planned: PlannedCell, space: CellSpace) -> str:
    """The key of a cell's search: a hash of its data, settings, space and method.

    The budget is not part of it, so that a search goes on with a larger one; nor is `test_knowledge`, since trials
    are only validated: one search serves both protocols.
    """
    load_split(planned.cfg)  # reads the data, whose fingerprint the identifiers of runs depend on
    method = {**plain(cfg.search), "n_trials": None, "storage": None, "seeds": tuning_seeds(cfg)}
    method.pop(MAX_SECONDS, None)
    if not method.get(DEFAULTS_FIRST):  # keep the keys of searches from before this option existed
        method.pop(DEFAULTS_FIRST, None)
    spaces = [space.groups, *({**options, **space.given(options)} for options in space.options())]
    run_cfg = compose_run(cfg, planned.cell.overrides, seed=tuning_seeds(cfg)[0])
    if run_cfg.loss.get(TEACHER) is None:  # a distilled cell has one protocol, that of its teacher
        run_cfg.test_knowledge = REFIT
    return key_of(str(identify(run_cfg)), *(json.dumps(own, sort_keys=True) for own in (spaces, method)))


def search_study(cfg: DictConfig, storage: Any, key: str, maximise: bool) -> optuna.Study:
    """The Optuna study of this key, which is made if the storage has none."""
    import optuna

    direction = optuna.study.StudyDirection
    directions = [direction.MAXIMIZE if maximise else direction.MINIMIZE]
    directions += [direction.MINIMIZE] if cfg.search.cost else []
    name = _name(cfg, key)
    return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)


def has_study(cfg: DictConfig, storage: Any, key: str) -> bool:
    """Whether the storage has the Optuna study of this key."""
    import optuna

    return _name(cfg, key) in optuna.get_all_study_names(storage)


def _name(cfg: DictConfig, key: str) -> str:
    return f"{cfg.study.name}/{key}"
