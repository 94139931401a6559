"""Optuna's trials, as entries of a study's record."""

from __future__ import annotations

from collections.abc import Sequence
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


def within_budget(trials: Sequence[FrozenTrial], budget: int) -> list[FrozenTrial]:
    """The trials, in their order, up to the last one of the budget.

    A search that was made with a larger budget has more, which other cells of the study may lack. Failed trials do not
    count here, since they may have been retried.
    """
    import optuna

    counted = [trial.number for trial in trials if trial.state != optuna.trial.TrialState.FAIL]
    return [trial for trial in trials if len(counted) <= budget or trial.number <= counted[budget - 1]]
