"""The number of trials that a cell's settings are chosen from."""

from __future__ import annotations

from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from recsys.config.compose import compose
from recsys.studies.tuning import _Search

FAILED = None


def result(values, n_trials):
    """The result of a search with a budget; trial i has the parameter a=i, and a value or FAILED."""
    study = optuna.create_study(direction="maximize")
    for number, value in enumerate(values):
        state = TrialState.FAIL if value is FAILED else TrialState.COMPLETE
        trial = create_trial(
            value=value, state=state, params={"a": float(number)}, distributions={"a": FloatDistribution(0.0, 9.0)}
        )
        study.add_trial(trial)
    cfg = compose(["search=random", f"search.n_trials={n_trials}"], "study")
    planned = SimpleNamespace(label="cell", cfg=compose(["ranker=ease"]))
    return _Search(cfg, planned=planned, space=None, claims=None, study=study).result()


@pytest.mark.parametrize(("n_trials", "best", "n_shown"), [(4, "3.0", 4), (3, "1.0", 3), (1, "0.0", 1), (9, "3.0", 4)])
def test_a_smaller_budget_than_before_has_the_first_trials(n_trials, best, n_shown):
    found = result([0.1, 0.3, 0.2, 0.9], n_trials)
    assert found.is_done
    assert found.parameters == {"a": best}
    assert [trial.number for trial in found.trials] == list(range(n_shown))


def test_failed_trials_that_were_retried_take_no_place_of_the_budget():
    found = result([0.1, FAILED, 0.2, 0.9, 1.0], 3)
    assert found.parameters == {"a": "3.0"}
    assert [trial.state for trial in found.trials] == ["finished", "failed", "finished", "finished"]


def test_of_equal_trials_the_first_is_chosen():
    assert result([0.1, 0.3, 0.3], 3).parameters == {"a": "1.0"}
