"""Optuna's trials, as entries of a study's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recsys.tracking.study_record import FINISHED, PRUNED, RUNNING, TRIAL_FAILED, Trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def trial_record(trial: FrozenTrial) -> Trial:
    """The entry of a trial in a study's record."""
    import optuna

    state = optuna.trial.TrialState
    names = {state.COMPLETE: FINISHED, state.PRUNED: PRUNED, state.FAIL: TRIAL_FAILED}
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
