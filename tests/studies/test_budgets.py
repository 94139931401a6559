"""The trials that a cell's settings are chosen from."""

from __future__ import annotations

from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from recsys.config.compose import compose
from recsys.schema import ConfigError
from recsys.studies.runner import run_study
from recsys.studies.trials import SECONDS
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


def timed(seconds, n_trials, max_seconds):
    """The result of a search with a budget of seconds, after trials of these seconds."""
    study = optuna.create_study(direction="maximize")
    for number, own in enumerate(seconds):
        parameter, space = {"a": float(number)}, {"a": FloatDistribution(0.0, 9.0)}
        study.add_trial(
            create_trial(value=float(number), params=parameter, distributions=space, user_attrs={SECONDS: own})
        )
    cfg = compose(["search=random", f"search.n_trials={n_trials}", f"search.max_seconds={max_seconds}"], "study")
    planned = SimpleNamespace(label="cell", cfg=compose(["ranker=ease"]))
    return _Search(cfg, planned=planned, space=None, claims=None, study=study)


@pytest.mark.parametrize(
    ("seconds", "max_seconds", "n_left", "n_shown"),
    [
        ([6.0, 3.0], 10, 3, 0),
        ([6.0, 5.0], 10, 0, 2),  # the second trial exceeds the limit, and no other begins
        ([6.0, 5.0, 1.0], 10, 0, 2),  # the third was made with a larger budget
        ([6.0, 3.0, 0.5, 0.2, 0.1], 10, 0, 5),  # the number of trials ends the search
        ([99.0], 10, 0, 1),  # the first trial is always made
    ],
)
def test_no_trial_begins_after_the_seconds_of_the_budget(seconds, max_seconds, n_left, n_shown):
    search = timed(seconds, 5, max_seconds)
    assert search.so_far().n_left == n_left
    assert bool(search._budget.n_left(search._spent())) == bool(n_left)
    if not n_left:
        found = search.result()
        assert [trial.seconds for trial in found.trials] == seconds[:n_shown]
        assert found.parameters == {"a": f"{n_shown - 1}.0"}


@pytest.mark.slow
def test_a_study_stops_its_search_after_its_seconds(study_of):
    cfg = study_of("search=random", "search.n_trials=50", "search.max_seconds=1e-3", "study.seeds=[0]")
    result = run_study(cfg)
    tuned = [cell for cell in result.record.cells if cell.trials]
    assert tuned
    assert {len(cell.trials) for cell in tuned} == {1}
    assert run_study(cfg).n_made == 0
    assert {record.tuning["max_seconds"] for record in result.records} == {1e-3}


@pytest.mark.parametrize("value", ["0", "-1", "abc", ".nan"])
def test_impossible_seconds_are_an_error(study_of, value):
    with pytest.raises(ConfigError, match=r"search.max_seconds is .*; expected a finite number above 0, or null"):
        run_study(study_of("search=random", f"search.max_seconds={value}"))
