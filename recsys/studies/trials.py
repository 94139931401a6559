"""Optuna's trials: their budget, their times, and their entries in a study's record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from recsys.tracking.study_record import FINISHED, PRUNED, RUNNING, TRIAL_FAILED, Trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from recsys.tracking.record import Record

MAX_SECONDS = "max_seconds"  # key of `search`
TRIAL_ERROR = "error"  # attribute of a failed trial in the storage
SECONDS = "seconds"  # attribute of a trial in the storage


def trial_record(trial: FrozenTrial) -> Trial:
    """The entry of a trial in a study's record."""
    import optuna

    state = optuna.trial.TrialState
    names = {state.COMPLETE: FINISHED, state.PRUNED: PRUNED, state.FAIL: TRIAL_FAILED}
    values = trial.values or [None]
    return Trial(
        trial.number,
        dict(trial.params),
        names.get(trial.state, RUNNING),
        value=values[0],
        cost=values[1] if len(values) > 1 else None,
        seconds=seconds_of(trial),
        error=str(trial.user_attrs.get(TRIAL_ERROR, "")).strip().rpartition("\n")[2] or None,
    )


class TrialBudget(NamedTuple):
    """What a cell's trials may use.

    Attributes:
        n_trials: Number of trials.
        seconds: Seconds of computing; the trial that exceeds them is the last one. None for no limit.
    """

    n_trials: int
    seconds: float | None = None

    def n_left(self, trials: Sequence[FrozenTrial]) -> int:
        """The largest number of trials that may follow these."""
        spent = sum(filter(None, map(seconds_of, trials)))
        return 0 if self.seconds is not None and spent >= self.seconds else max(0, self.n_trials - len(trials))

    def within(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials, in their order, up to the last one of the budget.

        A search that was made with a larger budget has more, which other cells of the study may lack. Failed trials do
        not count here, since they may have been retried.
        """
        import optuna

        counted: list[FrozenTrial] = []
        for place, trial in enumerate(trials):
            if not self.n_left(counted):
                return list(trials[:place])
            if trial.state != optuna.trial.TrialState.FAIL:
                counted.append(trial)
        return list(trials)


def seconds_of(trial: FrozenTrial) -> float | None:
    """Seconds of computing of a trial; None while it runs.

    A trial of an earlier release has the time from its beginning to its end, with interruptions.
    """
    computed = trial.user_attrs.get(SECONDS)
    elapsed = trial.duration.total_seconds() if trial.duration else None
    return elapsed if computed is None else float(computed)


def seconds_of_run(record: Record) -> float:
    """Seconds of a run without those of encoding, which only the first run with these vectors needs.

    They are the same if the run was found in the store, or continued after an interruption.
    """
    return record.times["total"] - record.times.get("encode", 0.0)
