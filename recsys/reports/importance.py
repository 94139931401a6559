"""Importance of hyperparameters in a search: fANOVA over its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.schema import ComparisonError
from recsys.support.number_checks import is_number
from recsys.tracking.study_record import FINISHED, Trial

if TYPE_CHECKING:
    import optuna

LEAST_TRIALS = 8
_N_RESAMPLES = 10
_TREES, _TREES_OF_A_RESAMPLE = 64, 16  # forests take most of the time of a report with a search
_LOG_FROM = 30.0  # ratio of greatest to least value from which a positive parameter is taken as log-scaled


@dataclass(frozen=True)
class Importance:
    """A hyperparameter's share of the variance of the tuned metric.

    Attributes:
        parameter: Its config key.
        share: Share from 0 to 1; the shares of a search add up to 1.
        low: Least share over the trials and resamples of them.
        high: Greatest share over the trials and resamples of them.
    """

    parameter: str
    share: float
    low: float
    high: float


def importances(trials: Sequence[Trial], seed: int = 0) -> list[Importance]:
    """Parameters by importance, the largest first, by fANOVA (Hutter, Hoos and Leyton-Brown 2014) over finished trials.

    Only parameters that all finished trials have, with more than one value, are rated; the trial of the cell's own
    settings, which has no parameters, does not count. `low` and `high` show how much the shares vary over bootstrap
    resamples of the trials.

    Raises:
        ComparisonError: If there are too few trials, nothing varies, or optuna is not installed.
    """
    finished = rated_trials(trials)
    if len(finished) < LEAST_TRIALS:
        raise ComparisonError(
            f"importances need {LEAST_TRIALS} finished trials besides that of the cell's own settings; found "
            f"{len(finished)}: raise search.n_trials, or search.max_seconds if it is set."
        )
    names = varied(finished)
    if not names or len({trial.value for trial in finished}) < 2:
        raise ComparisonError("the finished trials differ in no parameter, or not in their value.")
    distributions = {name: _distribution([trial.parameters[name] for trial in finished]) for name in names}
    whole = _shares(finished, distributions, seed, _TREES)
    generator = np.random.default_rng(seed)
    samples = [
        [finished[place] for place in generator.integers(0, len(finished), len(finished))] for _ in range(_N_RESAMPLES)
    ]
    resampled = [
        _shares(sample, distributions, seed, _TREES_OF_A_RESAMPLE)
        for sample in samples
        if len({trial.value for trial in sample}) > 1
    ]
    found = []
    for name in sorted(names, key=lambda name: -whole[name]):
        shares = [whole[name], *(own[name] for own in resampled)]
        found.append(Importance(name, whole[name], min(shares), max(shares)))
    return found


def drawn_trials(trials: Sequence[Trial]) -> list[Trial]:
    """The trials with a value whose parameters were drawn: not that of the cell's own settings, which has none."""
    return [trial for trial in trials if trial.value is not None and trial.parameters]


def rated_trials(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that importances are computed from: those of `drawn_trials` that are finished."""
    return [trial for trial in drawn_trials(trials) if trial.state == FINISHED]


def varied(trials: Sequence[Trial]) -> list[str]:
    """The parameters that all trials have and that have more than one value."""
    if not trials:
        return []
    common = [name for name in trials[0].parameters if all(name in trial.parameters for trial in trials)]
    return [name for name in common if len({repr(trial.parameters[name]) for trial in trials}) > 1]


def is_logarithmic(values: Sequence[float]) -> bool:
    """Whether numbers span so wide a range that the parameter is taken as log-scaled.

    Example:
        >>> is_logarithmic([1e-4, 1e-2]), is_logarithmic([8, 64]), is_logarithmic([0.0, 0.5])
        (True, False, False)
    """
    return min(values) > 0 and max(values) / min(values) >= _LOG_FROM


def _distribution(values: Sequence[Any]) -> optuna.distributions.BaseDistribution:
    """A distribution that fits the values, since study records do not keep Optuna's."""
    optuna = _optuna()
    if not all(map(is_number, values)):
        return optuna.distributions.CategoricalDistribution(sorted({str(value) for value in values}))
    low, high, log = min(values), max(values), is_logarithmic(values)
    if all(isinstance(value, int) for value in values):
        return optuna.distributions.IntDistribution(low, high, log=log)
    return optuna.distributions.FloatDistribution(float(low), float(high), log=log)


def _shares(
    trials: Sequence[Trial], distributions: Mapping[str, optuna.distributions.BaseDistribution], seed: int, n_trees: int
) -> dict[str, float]:
    optuna = _optuna()
    study = optuna.create_study()  # the direction has no influence on the variance
    categorical = optuna.distributions.CategoricalDistribution
    for trial in trials:
        values = {
            name: str(trial.parameters[name]) if isinstance(own, categorical) else trial.parameters[name]
            for name, own in distributions.items()
        }
        study.add_trial(optuna.trial.create_trial(params=values, distributions=dict(distributions), value=trial.value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=n_trees, seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(distributions))
    return {name: float(share) for name, share in found.items()}


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ComparisonError("importances need optuna: pip install 'optuna>=4'.") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
