"""Tuning a cell on the validation part by Optuna's ask-and-tell interface, so that an interrupted search continues.

A trial is one run without a test for each tuning seed; none of these is a seed of the study. The parameters of a trial
depend on the search's seed, the trial's number and the trials before it. So a single worker repeats its search exactly,
also after an interruption. Several workers on one storage share the budget.
"""

from __future__ import annotations

import shutil
import time
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import isnan
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys.config.compose import build
from recsys.config.overrides import text
from recsys.experiment.run import run
from recsys.experiment.run_identity import identify
from recsys.schema import RecsysError
from recsys.studies.cell_space import CellSpace
from recsys.studies.plan import PlannedCell, compose_run, space_of
from recsys.studies.search_study import (
    DEFAULTS_FIRST,
    budget,
    folder_of,
    has_study,
    is_grid,
    maximises,
    search_grid,
    search_key,
    search_study,
    tuning_seeds,
)
from recsys.studies.space import suggest
from recsys.studies.storage import Claims, existing, key_of, opened
from recsys.studies.trials import SECONDS, TRIAL_ERROR, TrialBudget, seconds_of_run, trial_record
from recsys.tracking.files import is_disk_error
from recsys.tracking.memory import free_what_is_left
from recsys.tracking.record import Record
from recsys.tracking.secrets import redacted
from recsys.tracking.study_record import Trial

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from recsys.studies.grid import SearchGrid

PLACE = "place"  # attribute of a trial of a grid search: the number of its combination
COSTS = {
    "seconds": lambda record: record.times["fit"],
    "parameters": lambda record: float(record.parameters["trainable"]),
}


class SearchError(RecsysError):
    """A search without a finished trial."""


@dataclass(frozen=True)
class Tuned:
    """The result of tuning a cell.

    Attributes:
        is_done: False while trials are missing, or other workers still make some.
        parameters: The best parameters, written as in an override.
        trials: All trials of the cell.
        n_left: Number of trials that are missing.
        key: The search's key; empty if there is nothing to tune.
        n_new: Number of trials that this call made.
    """

    is_done: bool
    parameters: dict[str, str]
    trials: list[Trial]
    n_left: int = 0
    key: str = ""
    n_new: int = 0


def tune(cfg: DictConfig, planned: PlannedCell) -> Tuned:
    """Make trials of a cell until its budget is spent, continuing those of earlier calls and other workers.

    Args:
        cfg: Configuration of the study.
        planned: The cell.

    Raises:
        ConfigError: If the search space is malformed, or the storage cannot be opened.
        StoreError: If the storage or the store cannot be written.
        SearchError: If no trial was finished.
    """
    space = space_of(cfg, planned)
    if not space.keys:
        return Tuned(True, {}, [])
    key = search_key(cfg, planned, space)
    with opened(cfg.search.storage, folder_of(cfg)) as storage:
        study = search_study(cfg, storage, key, maximises(planned.cfg))
        search = _Search(cfg, planned, space, Claims(folder_of(cfg), key), study)
        n_new = sum(1 for _ in iter(search.one_more, False))
        return replace(search.result(), key=key, n_new=n_new)


def so_far(cfg: DictConfig, planned: PlannedCell) -> Tuned:
    """The state of a cell's tuning; no trial is made, and no file.

    Raises:
        ConfigError: If the search space is malformed, or the storage cannot be opened.
        SearchError: If all trials were made, and none was finished.
    """
    space = space_of(cfg, planned)
    if not space.keys:
        return Tuned(True, {}, [])
    with existing(cfg.search.storage, folder_of(cfg)) as storage:
        # The key needs the data, which is not read without trials.
        if storage is None or not has_study(cfg, storage, key := search_key(cfg, planned, space)):
            return Tuned(False, {}, [], budget(cfg, space).n_left([]))
        study = search_study(cfg, storage, key, maximises(planned.cfg))
        return _Search(cfg, planned, space, Claims(folder_of(cfg), key), study).so_far()


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
        if not self._budget.n_left(self._spent()):
            return None
        number = len(self._trials())
        self.claims.take(stack, number)
        return self._suggested(self._seeded(number).ask())

    def _spent(self) -> list[FrozenTrial]:
        """The trials that count towards the budget."""
        import optuna

        retried = self.cfg.retry_failed
        return [own for own in self._trials() if not (retried and own.state == optuna.trial.TrialState.FAIL)]

    @cached_property
    def _budget(self) -> TrialBudget:
        return budget(self.cfg, self.space)

    @cached_property
    def _grid(self) -> SearchGrid:
        return search_grid(self.cfg, self.space)

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

        if is_grid(self.cfg):
            return build("search.sampler", self.cfg.search.sampler, values=self._grid[self._place(number)])
        seed = int(key_of(str(self.cfg.search.seed), str(number), key)[:7], 16)
        return of_drawn_trials(build("search.sampler", self.cfg.search.sampler, seed=seed))

    def _suggested(self, trial: optuna.Trial) -> optuna.Trial:
        if is_grid(self.cfg):
            trial.set_user_attr(PLACE, self._place(trial.number))
        elif self.cfg.search.get(DEFAULTS_FIRST) and trial.number == 0:
            return trial  # without parameters: the cell's own settings
        sampler = partial(self._sampler, trial.number)
        suggest(trial, self.space.groups, sampler)
        suggest(trial, self.space.given(trial.params), sampler)
        return trial

    def _make(self, trial: optuna.Trial) -> None:
        from optuna import TrialPruned
        from optuna.trial import TrialState

        start, made, values, state = time.perf_counter(), list[Record](), None, TrialState.COMPLETE
        try:
            for seed in tuning_seeds(self.cfg):
                run_cfg = self._composed(trial, seed)
                made.append(run(run_cfg, self._callbacks(trial, run_cfg.monitor, is_first=not made)).record)
        except TrialPruned:  # its value is the last that was reported
            _forget(run_cfg)
            state = TrialState.PRUNED
        except Exception as error:  # a failed trial counts towards the budget, and the search continues
            if is_disk_error(error):
                raise
            _forget(run_cfg)
            trial.set_user_attr(TRIAL_ERROR, redacted(traceback.format_exc()))
            state = TrialState.FAIL
        else:
            costs = [[COSTS[self.cfg.search.cost](record) for record in made]] if self.cfg.search.cost else []
            values = list(map(fmean, [[record.metrics[run_cfg.monitor] for record in made], *costs]))
            if any(map(isnan, values)):  # as of a metric without any query
                trial.set_user_attr(TRIAL_ERROR, f"{run_cfg.monitor} is NaN")
                values, state = None, TrialState.FAIL
        elapsed = time.perf_counter() - start
        is_complete = state == TrialState.COMPLETE
        trial.set_user_attr(SECONDS, sum(map(seconds_of_run, made)) if is_complete else elapsed)
        self.study.tell(trial, values, state)
        free_what_is_left()

    def _composed(self, trial: optuna.Trial, seed: int) -> DictConfig:
        chosen = [f"{key}={_written(value)}" for key, value in trial.params.items()]
        overrides = [*self.planned.cell.overrides, *chosen, "test=false"]
        return compose_run(self.cfg, overrides, {"cell": self.planned.label, "trial": trial.number}, seed)

    def _callbacks(self, trial: optuna.Trial, monitor: str, is_first: bool) -> list[Any]:
        """Pruning by the run with the first tuning seed, so that all compared curves have the same seed."""
        return [_pruning(trial, monitor)] if is_first and not self.cfg.search.cost else []

    def so_far(self) -> Tuned:
        """The trials until now, and the result if the budget is spent."""
        ended = [trial for trial in self._spent() if trial.state.is_finished()]
        n_left = self._budget.n_left(ended)
        return Tuned(False, {}, list(map(trial_record, ended)), n_left) if n_left else self.result()

    def result(self) -> Tuned:
        import optuna

        trials = self._budget.within(self._trials())
        if any(trial.state == optuna.trial.TrialState.RUNNING for trial in trials):
            return Tuned(False, {}, list(map(trial_record, trials)))
        finished = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
        if not finished:
            errors = [trial.user_attrs.get(TRIAL_ERROR, "pruned").strip().rsplit("\n", 1)[-1] for trial in trials]
            raise SearchError(f"none of {len(trials)} trials of {self.planned.label} was finished: {errors[-1]}")
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
