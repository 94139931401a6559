"""The trials of a search: samplers that draw parameters together, and trials without a value."""

from __future__ import annotations

from contextlib import ExitStack
from math import nan
from types import SimpleNamespace

import optuna
import pytest

from recsys.config.compose import compose
from recsys.studies import tuning
from recsys.studies.search_study import search_study
from recsys.studies.storage import Claims
from recsys.studies.tuning import _Search

AT = {"a": 0.3, "b": 0.7}  # the best values


class TwoRanges:
    """A search space without groups."""

    def __init__(self):
        self.groups = {}

    def given(self, chosen):
        return {key: {"low": 0.0, "high": 1.0} for key in AT}


def trials_of(sampler: str, folder, n: int) -> list[optuna.Trial]:
    """The trials of a search for the least squared distance from `AT`."""
    cfg = compose([f"search={sampler}", f"search.n_trials={n}"], "study")
    study = search_study(cfg, optuna.storages.InMemoryStorage(), sampler, maximise=False)
    search = _Search(cfg, planned=None, space=TwoRanges(), claims=Claims(folder, sampler), study=study)
    found = []
    for _ in range(n):
        with ExitStack() as stack:
            found.append(search._new(stack))
        distance = sum((found[-1].params.get(key, 1.0) - best) ** 2 for key, best in AT.items())
        study.tell(found[-1], [distance, 1.0] if cfg.search.cost else distance)
    return found


@pytest.mark.parametrize(("sampler", "first"), [("cmaes", 5), ("nsga2", 9)])  # after 4, and after 8 drawn trials
def test_parameters_are_drawn_together_though_the_first_trial_has_none(sampler, first, tmp_path):
    found = trials_of(sampler, tmp_path, 25)
    assert found[0].params == {}
    assert not any(trial.relative_params for trial in found[1:first])
    assert all(trial.params.keys() == AT.keys() for trial in found[1:])
    assert sum(bool(trial.relative_params) for trial in found[first:]) > 8
    drawn = [[trial.params[key] for key in AT] for trial in found[first:]]
    random = [[trial.params[key] for key in AT] for trial in trials_of("random", tmp_path, 25)[first:]]
    assert drawn != random


def test_tpe_models_each_parameter_alone(tmp_path):
    found = trials_of("tpe", tmp_path, 12)
    assert not any(trial.relative_params for trial in found)
    assert all(trial.params.keys() == AT.keys() for trial in found[1:])


def test_a_trial_whose_metric_is_nan_fails_and_the_search_goes_on(tmp_path, monkeypatch):
    values, run_cfg = iter([0.1, nan, 0.3]), compose(["ranker=ease"])
    times = {"encode": 5.0, "total": 7.0}

    def made(cfg, _):
        return SimpleNamespace(record=SimpleNamespace(metrics={cfg.monitor: next(values)}, times=times))

    monkeypatch.setattr(tuning, "run", made)
    monkeypatch.setattr(_Search, "_composed", lambda *_: run_cfg)
    cfg = compose(["search=random", "search.n_trials=3"], "study")
    planned = SimpleNamespace(label="ease", cfg=run_cfg)
    study = search_study(cfg, optuna.storages.InMemoryStorage(), "nan", maximise=True)
    search = _Search(cfg, planned, TwoRanges(), Claims(tmp_path, "nan"), study)
    while search.one_more():
        pass
    found = search.result()
    assert [trial.seconds for trial in found.trials][::2] == [2.0, 2.0]  # without encoding
    assert [trial.state for trial in found.trials] == ["finished", "failed", "finished"]
    assert found.parameters == {key: str(value) for key, value in found.trials[2].parameters.items()}
