"""Tuning a cell on the validation part: Optuna is asked and told, trial by trial, so that a killed search goes on.

A trial is a run without a test, on the study's first seed. What a trial tries depends on the search's seed, the
trial's number and the trials before it, so one worker repeats itself exactly, killed or not; several workers on one
storage share the budget.
"""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from recsys.config import build, plain
from recsys.experiment import identify, run
from recsys.schema import ConfigError, RecsysError
from recsys.studies.cells import text
from recsys.studies.plan import PlannedCell, compose_run
from recsys.studies.space import Space, grid_of, has_key, search_space, suggest
from recsys.studies.storage import Claims, key_of, opened
from recsys.tracking.files import is_disk_error
from recsys.tracking.memory import free_what_is_left
from recsys.tracking.study_record import FAILED, FINISHED, PRUNED, RUNNING, Trial, study_folder
from recsys.workspace import load_split

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

ERROR = "error"  # of a failed trial, among the storage's attributes
COSTS = {
    "seconds": lambda record: record.times["fit"],
    "parameters": lambda record: float(record.parameters["trainable"]),
}


@dataclass(frozen=True)
class Tuned:
    """What tuning a cell came to.

    Attributes:
        is_done: False where other workers still have trials of it.
        parameters: The best ones, as a command line writes them.
        trials: All of them.
    """

    is_done: bool
    parameters: dict[str, str]
    trials: list[Trial]


def tune(cfg: DictConfig, planned: PlannedCell, told: Callable[[], None] = lambda: None) -> Tuned:
    """Try settings of a cell until its budget is spent; goes on where it, or another worker, left off.

    Args:
        cfg: Of the study.
        planned: The cell.
        told: Is called after each trial.

    Raises:
        ConfigError: If the search cannot be made of this space.
        RecsysError: If no trial came to its end.
    """
    space = search_space(planned.cfg, cfg.study.space)
    if not space:
        return Tuned(True, {}, [])
    folder = study_folder(Path(cfg.paths.runs_dir), cfg.study.name)
    load_split(planned.cfg)  # the runs' names depend on the data's content
    key = _key(cfg, planned, space)
    claims = Claims(folder, key)
    with opened(cfg.search.storage, folder) as storage:
        search = _Search(
            cfg, planned, space, claims, _study(cfg, storage, f"{cfg.study.name}/{key}", maximises(planned.cfg))
        )
        while search.one_more():
            told()
        return search.result()


def _key(cfg: DictConfig, planned: PlannedCell, space: Space) -> str:
    method = {**plain(cfg.search), "n_trials": None, "storage": None}
    return key_of(str(identify(planned.cfg)), json.dumps(space, sort_keys=True), json.dumps(method, sort_keys=True))


def _study(cfg: DictConfig, storage: Any, name: str, maximise: bool) -> optuna.Study:
    import optuna

    direction = optuna.study.StudyDirection
    directions = [direction.MAXIMIZE if maximise else direction.MINIMIZE]
    directions += [direction.MINIMIZE] if cfg.search.cost else []
    return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)


def maximises(cfg: DictConfig) -> bool:
    """Whether higher values of the metric that a run's configuration monitors are better."""
    return bool(build("metrics", cfg.metrics).directions()[cfg.monitor.partition("/")[2]])


@dataclass
class _Search:
    cfg: DictConfig
    planned: PlannedCell
    space: Space
    claims: Claims
    study: optuna.Study

    def one_more(self) -> bool:
        """Make the next trial; False if the budget is spent, or others have what is left of it."""
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
            # Its worker may have told its end since the list was read, and let go of the claim.
            if self.claims.take(stack, frozen.number) and self._is_running(frozen.number):
                return self._suggested(optuna.Trial(self._seeded(frozen.number), frozen._trial_id))
        return None

    def _is_running(self, number: int) -> bool:
        import optuna

        return any(trial.number == number for trial in self._trials(optuna.trial.TrialState.RUNNING))

    def _new(self, stack: ExitStack) -> optuna.Trial | None:
        import optuna

        trials = self._trials()
        retried = self.cfg.retry_failed
        spent = [trial for trial in trials if not (retried and trial.state == optuna.trial.TrialState.FAIL)]
        if len(spent) >= self._budget():
            return None
        self.claims.take(stack, len(trials))
        return self._suggested(self._seeded(len(trials)).ask())

    def _budget(self) -> int:
        if "GridSampler" not in str(self.cfg.search.sampler._target_):
            return int(self.cfg.search.n_trials)
        sizes = [len(values) for values in grid_of(self.space, self.cfg.search.points).values()]
        n = 1
        for size in sizes:
            n *= size
        return min(n, int(self.cfg.search.n_trials))

    def _trials(self, *states: Any) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _seeded(self, number: int) -> optuna.Study:
        """The study with a sampler whose randomness is that trial's own."""
        self.study.sampler = self._sampler(number)
        self.study.pruner = build("search.pruner", self.cfg.search.pruner) or _no_pruner()
        return self.study

    def _sampler(self, number: int, key: str = "") -> Any:
        if "GridSampler" in str(self.cfg.search.sampler._target_):  # whose seed orders the grid: one for all trials
            grid = grid_of(self.space, self.cfg.search.points)
            return build("search.sampler", self.cfg.search.sampler, seed=int(self.cfg.search.seed), search_space=grid)
        seed = int(key_of(str(self.cfg.search.seed), str(number), key)[:7], 16)
        return build("search.sampler", self.cfg.search.sampler, seed=seed)

    def _suggested(self, trial: optuna.Trial) -> optuna.Trial:
        suggest(trial, self.space, partial(self._sampler, trial.number))
        return trial

    def _make(self, trial: optuna.Trial) -> None:
        import optuna

        parameters = {key: text(value) for key, value in trial.params.items()}
        chosen = [f"{key}={value}" for key, value in parameters.items()]
        overrides = [*self.planned.cell.overrides, *chosen, "test=false"]
        run_cfg = compose_run(self.cfg, overrides, {"cell": self.planned.label, "trial": trial.number})
        state = optuna.trial.TrialState
        try:
            record = run(run_cfg, [] if self.cfg.search.cost else [_pruning(trial, run_cfg.monitor)]).record
        except optuna.TrialPruned:
            _forget(run_cfg)
            self._tell(trial, state=state.PRUNED)  # its value is the last that was reported
        except Exception as error:  # a setting that cannot be trained is one of the budget's, and the others go on
            if is_disk_error(error):
                raise
            _forget(run_cfg)
            trial.set_user_attr(ERROR, traceback.format_exc())
            self._tell(trial, state=state.FAIL)
        else:
            cost = [COSTS[self.cfg.search.cost](record)] if self.cfg.search.cost else []
            self._tell(trial, [record.metrics[run_cfg.monitor], *cost], state.COMPLETE)
        free_what_is_left()

    def _tell(self, trial: optuna.Trial, values: Any = None, state: Any = None) -> None:
        import optuna

        # The grid's sampler would stop the study at its last point, which only Optuna's own loop allows.
        if isinstance(self.study.sampler, optuna.samplers.GridSampler):
            self.study.sampler = optuna.samplers.RandomSampler()
        self.study.tell(trial, values, state)

    def result(self) -> Tuned:
        import optuna

        trials = self._trials()
        if any(trial.state == optuna.trial.TrialState.RUNNING for trial in trials):
            return Tuned(False, {}, list(map(_record, trials)))
        finished = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
        if not finished:
            errors = [trial.user_attrs.get(ERROR, "pruned").strip().rsplit("\n", 1)[-1] for trial in trials]
            raise RecsysError(f"none of {len(trials)} trials of {self.planned.label} came to its end: {errors[-1]}")
        sign = 1 if maximises(self.planned.cfg) else -1
        best = max(finished, key=lambda trial: (sign * trial.values[0], -trial.number))
        return Tuned(True, {key: text(value) for key, value in best.params.items()}, list(map(_record, trials)))


def _forget(cfg: DictConfig) -> None:
    """Remove what a run without a record has left."""
    identifier = identify(cfg)
    if identifier is not None:
        shutil.rmtree(Path(cfg.paths.runs_dir) / identifier, ignore_errors=True)


def _no_pruner() -> Any:
    import optuna

    return optuna.pruners.NopPruner()


def _pruning(trial: optuna.Trial, monitor: str) -> Any:
    from recsys.training.pruning import Pruning

    return Pruning(trial, monitor)


def _record(trial: FrozenTrial) -> Trial:
    import optuna

    state = optuna.trial.TrialState
    names = {state.COMPLETE: FINISHED, state.PRUNED: PRUNED, state.FAIL: FAILED}
    values = trial.values or [None]
    seconds = trial.duration.total_seconds() if trial.duration else None
    return Trial(
        trial.number,
        dict(trial.params),
        names.get(trial.state, RUNNING),
        value=values[0],
        cost=values[1] if len(values) > 1 else None,
        seconds=seconds,
    )


def check_search(cfg: DictConfig, cells: Sequence[PlannedCell]) -> None:
    """Refuse a search that cannot be made.

    Raises:
        ConfigError: Naming the key.
    """
    n = cfg.search.n_trials
    if not isinstance(n, int) or n < 0:
        raise ConfigError(f"search.n_trials is {n!r}; expected a whole number of at least 0.")
    if n == 0:
        return
    if cfg.search.sampler is None:
        raise ConfigError(
            f"search.n_trials is {n}, but search={cfg.choices.search} has no sampler; choose search=tpe, random, grid, "
            "cmaes or nsga2."
        )
    for key in cfg.study.space or {}:
        if not any(has_key(planned.cfg, key) for planned in cells):
            raise ConfigError(f"study.space has {key}, which is no key of any cell's configuration.")
    for planned in cells:
        search_space(planned.cfg, cfg.study.space)
    if cfg.search.cost is not None and cfg.search.cost not in COSTS:
        raise ConfigError(f"search.cost is {cfg.search.cost!r}; expected {', '.join(COSTS)} or null.")
