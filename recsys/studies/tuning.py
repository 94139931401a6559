"""Tuning a cell on the validation part by Optuna's ask-and-tell interface, so that an interrupted search continues.

A trial is one run without a test for each tuning seed; none of these is a seed of the study. The parameters of a trial
depend on the search's seed, the trial's number and the trials before it. So a single worker repeats its search exactly,
also after an interruption. Several workers on one storage share the budget.
"""

from __future__ import annotations

import json
import shutil
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count, islice
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys.config.compose import build, plain
from recsys.config.overrides import text
from recsys.experiment.built_once import metric_suite
from recsys.experiment.inputs import load_split
from recsys.experiment.run import run
from recsys.experiment.run_identity import identify
from recsys.schema import RecsysError
from recsys.studies.cell_space import CellSpace
from recsys.studies.plan import PlannedCell, compose_run, space_of
from recsys.studies.space import suggest
from recsys.studies.storage import Claims, key_of, opened
from recsys.studies.trials import trial_record, within_budget
from recsys.tracking.files import is_disk_error
from recsys.tracking.memory import free_what_is_left
from recsys.tracking.record import Record
from recsys.tracking.secrets import redacted
from recsys.tracking.study_record import Trial, study_folder

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from recsys.studies.grid import SearchGrid

FIRST_SEED = 1000  # first tuning seed, larger than the usual seeds of a study
ERROR = "error"  # attribute of a failed trial in the storage
PLACE = "place"  # attribute of a trial of a grid search: the number of its combination
DEFAULTS_FIRST = "defaults_first"  # key of `search`: the first trial has the cell's own settings
COSTS = {
    "seconds": lambda record: record.times["fit"],
    "parameters": lambda record: float(record.parameters["trainable"]),
}


@dataclass(frozen=True)
class Tuned:
    """The result of tuning a cell.

    Attributes:
        is_done: False while other workers still make trials of the cell.
        parameters: The best parameters, written as in an override.
        trials: All trials of the cell.
    """

    is_done: bool
    parameters: dict[str, str]
    trials: list[Trial]


def tune(cfg: DictConfig, planned: PlannedCell) -> Tuned:
    """Make trials of a cell until its budget is spent, continuing those of earlier calls and other workers.

    Args:
        cfg: Configuration of the study.
        planned: The cell.

    Raises:
        ConfigError: If the search space is malformed, or the storage cannot be opened.
        StoreError: If the storage or the store cannot be written.
        RecsysError: If no trial was finished.
    """
    space = space_of(cfg, planned)
    if not space.keys:
        return Tuned(True, {}, [])
    folder = study_folder(Path(cfg.paths.runs_dir), cfg.study.name)
    load_split(planned.cfg)  # reads the data, whose fingerprint the identifiers of runs depend on
    key = _key(cfg, planned, space)
    claims = Claims(folder, key)
    with opened(cfg.search.storage, folder) as storage:
        search = _Search(
            cfg, planned, space, claims, _study(cfg, storage, f"{cfg.study.name}/{key}", maximises(planned.cfg))
        )
        while search.one_more():
            pass
        return search.result()


def tuning_seeds(cfg: DictConfig) -> list[int]:
    """The seeds of a trial's runs: the first `search.seeds` numbers from 1000 on that are no seeds of the study.

    So a study keeps its search if it gets more seeds later.
    """
    tested = set(cfg.study.seeds)
    return list(islice((seed for seed in count(FIRST_SEED) if seed not in tested), int(cfg.search.seeds)))


def _key(cfg: DictConfig, planned: PlannedCell, space: CellSpace) -> str:
    method = {**plain(cfg.search), "n_trials": None, "storage": None, "seeds": tuning_seeds(cfg)}
    if not method.get(DEFAULTS_FIRST):  # keep the keys of searches from before this option existed
        method.pop(DEFAULTS_FIRST, None)
    spaces = [space.groups, *({**options, **space.given(options)} for options in space.options())]
    run_cfg = compose_run(cfg, planned.cell.overrides, seed=tuning_seeds(cfg)[0])
    return key_of(str(identify(run_cfg)), *(json.dumps(own, sort_keys=True) for own in (spaces, method)))


def _study(cfg: DictConfig, storage: Any, name: str, maximise: bool) -> optuna.Study:
    import optuna

    direction = optuna.study.StudyDirection
    directions = [direction.MAXIMIZE if maximise else direction.MINIMIZE]
    directions += [direction.MINIMIZE] if cfg.search.cost else []
    return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)


def maximises(cfg: DictConfig) -> bool:
    """Whether higher values of the run's monitored metric are better."""
    return bool(metric_suite(cfg).directions()[cfg.monitor.partition("/")[2]])


@dataclass
class _Search:
    cfg: DictConfig
    planned: PlannedCell
    space: CellSpace
    claims: Claims
    study: optuna.Study

    def one_more(self) -> bool:
        """Make the next trial; False if the budget is spent, or other workers have the remaining trials."""
        with ExitStack() as stack:
            with self.claims.all_held():
                trial = self._abandoned(stack) or self._new(stack)
            if trial is None:
                return False
            self._make(trial)
            return True

    def _abandoned(self, stack: ExitStack) -> optuna.Trial | None:
        import optuna

        for frozen in self._trials(optuna.trial.TrialState.RUNNING):
            # Since the list was read, its worker may have finished it and released the claim.
            if self.claims.take(stack, frozen.number) and self._is_running(frozen.number):
                return self._suggested(optuna.Trial(self._seeded(frozen.number), frozen._trial_id))
        return None

    def _is_running(self, number: int) -> bool:
        import optuna

        return any(trial.number == number for trial in self._trials(optuna.trial.TrialState.RUNNING))

    def _new(self, stack: ExitStack) -> optuna.Trial | None:
        if len(self._spent()) >= self._budget():
            return None
        number = len(self._trials())
        self.claims.take(stack, number)
        return self._suggested(self._seeded(number).ask())

    def _spent(self) -> list[FrozenTrial]:
        """The trials that count towards the budget."""
        import optuna

        retried = self.cfg.retry_failed
        return [own for own in self._trials() if not (retried and own.state == optuna.trial.TrialState.FAIL)]

    def _budget(self) -> int:
        if not self._is_grid:
            return int(self.cfg.search.n_trials)
        return min(len(self._grid), int(self.cfg.search.n_trials))

    @cached_property
    def _grid(self) -> SearchGrid:
        from recsys.studies.grid import SearchGrid

        return SearchGrid(self.space, int(self.cfg.search.points), int(self.cfg.search.seed))

    @property
    def _is_grid(self) -> bool:
        return "GridSampler" in str(self.cfg.search.sampler._target_)

    def _place(self, number: int) -> int:
        """The number of a trial's combination in the grid: the stored one, or the first that no other trial has."""
        own = {trial.number: trial.user_attrs.get(PLACE) for trial in self._spent()}
        known = own.get(number)
        if known is not None:
            return int(known)
        return next(place for place in range(len(self._grid)) if place not in own.values())

    def _trials(self, *states: Any) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _seeded(self, number: int) -> optuna.Study:
        """The study with a sampler that is seeded by the trial's number."""
        from optuna.pruners import NopPruner

        self.study.sampler = self._sampler(number)
        self.study.pruner = build("search.pruner", self.cfg.search.pruner) or NopPruner()
        return self.study

    def _sampler(self, number: int, key: str = "") -> Any:
        from recsys.studies.drawn_trials import of_drawn_trials

        if self._is_grid:
            return build("search.sampler", self.cfg.search.sampler, values=self._grid[self._place(number)])
        seed = int(key_of(str(self.cfg.search.seed), str(number), key)[:7], 16)
        return of_drawn_trials(build("search.sampler", self.cfg.search.sampler, seed=seed))

    def _suggested(self, trial: optuna.Trial) -> optuna.Trial:
        if self._is_grid:
            trial.set_user_attr(PLACE, self._place(trial.number))
        elif self.cfg.search.get(DEFAULTS_FIRST) and trial.number == 0:
            return trial  # without parameters: the cell's own settings
        sampler = partial(self._sampler, trial.number)
        suggest(trial, self.space.groups, sampler)
        suggest(trial, self.space.given(trial.params), sampler)
        return trial

    def _make(self, trial: optuna.Trial) -> None:
        import optuna

        state = optuna.trial.TrialState
        made: list[Record] = []
        try:
            for seed in tuning_seeds(self.cfg):
                run_cfg = self._composed(trial, seed)
                made.append(run(run_cfg, self._callbacks(trial, run_cfg.monitor, is_first=not made)).record)
        except optuna.TrialPruned:
            _forget(run_cfg)
            self.study.tell(trial, state=state.PRUNED)  # its value is the last that was reported
        except Exception as error:  # a failed trial counts towards the budget, and the search continues
            if is_disk_error(error):
                raise
            _forget(run_cfg)
            trial.set_user_attr(ERROR, redacted(traceback.format_exc()))
            self.study.tell(trial, state=state.FAIL)
        else:
            costs = [[COSTS[self.cfg.search.cost](record) for record in made]] if self.cfg.search.cost else []
            values = list(map(fmean, [[record.metrics[run_cfg.monitor] for record in made], *costs]))
            if any(map(isnan, values)):  # as of a metric without any query
                trial.set_user_attr(ERROR, f"{run_cfg.monitor} is NaN")
                self.study.tell(trial, state=state.FAIL)
            else:
                self.study.tell(trial, values, state.COMPLETE)
        free_what_is_left()

    def _composed(self, trial: optuna.Trial, seed: int) -> DictConfig:
        chosen = [f"{key}={_written(value)}" for key, value in trial.params.items()]
        overrides = [*self.planned.cell.overrides, *chosen, "test=false"]
        return compose_run(self.cfg, overrides, {"cell": self.planned.label, "trial": trial.number}, seed)

    def _callbacks(self, trial: optuna.Trial, monitor: str, is_first: bool) -> list[Any]:
        """Pruning by the run with the first tuning seed, so that all compared curves have the same seed."""
        return [_pruning(trial, monitor)] if is_first and not self.cfg.search.cost else []

    def result(self) -> Tuned:
        import optuna

        trials = within_budget(self._trials(), self._budget())
        if any(trial.state == optuna.trial.TrialState.RUNNING for trial in trials):
            return Tuned(False, {}, list(map(trial_record, trials)))
        finished = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
        if not finished:
            errors = [trial.user_attrs.get(ERROR, "pruned").strip().rsplit("\n", 1)[-1] for trial in trials]
            raise RecsysError(f"none of {len(trials)} trials of {self.planned.label} was finished: {errors[-1]}")
        sign = 1 if maximises(self.planned.cfg) else -1
        best = max(finished, key=lambda trial: (sign * trial.values[0], -trial.number))
        return Tuned(
            True, {key: _written(value) for key, value in best.params.items()}, list(map(trial_record, trials))
        )


def _written(value: Any) -> str:
    """A parameter's value, written as in an override; choices are stored in this form already."""
    return value if isinstance(value, str) else text(value)


def _forget(cfg: DictConfig) -> None:
    """Remove the files of a run that has no record."""
    identifier = identify(cfg)
    if identifier is not None:
        shutil.rmtree(Path(cfg.paths.runs_dir) / identifier, ignore_errors=True)


def _pruning(trial: optuna.Trial, monitor: str) -> Any:
    from recsys.training.pruning import Pruning

    return Pruning(trial, monitor)
