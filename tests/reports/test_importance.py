from __future__ import annotations

import builtins

import numpy as np
import pytest

from recsys.reports.importance import importances, varied
from recsys.reports.plots.search import search_figures
from recsys.schema import ComparisonError
from recsys.tracking.study_record import FINISHED, LISTED, PRUNED, TRIAL_FAILED, StudyCell, StudyRecord, Trial


def trials(n: int = 40) -> list[Trial]:
    """The value depends on the rate alone; the other parameters are noise, and one is constant."""
    generator = np.random.default_rng(0)
    made = []
    for number in range(n):
        rate = float(10 ** generator.uniform(-4, -1))
        parameters = {
            "lr": rate,
            "dim": int(generator.integers(8, 64)),
            "loss": str(generator.choice(["bce", "bpr"])),
            "bias": bool(generator.integers(2)),
            "epochs": 5,
        }
        made.append(Trial(number, parameters, FINISHED, value=float(-abs(np.log10(rate) + 2.5))))
    return made


@pytest.mark.slow
def test_what_the_value_depends_on_comes_first():
    found = importances(trials())
    assert {own.parameter for own in found} == {"lr", "dim", "loss", "bias"}
    assert found[0].parameter == "lr"
    assert found[0].share > 0.8
    assert sum(own.share for own in found) == pytest.approx(1)
    assert all(own.low <= own.share <= own.high for own in found)
    assert found == importances(trials())


@pytest.mark.slow
def test_unfinished_trials_do_not_count():
    noise = [Trial(100 + n, {"lr": 1e-4 * n, "dim": 8, "loss": "bce", "bias": True}, PRUNED, 9.0) for n in range(1, 20)]
    assert importances([*trials(10), *noise]) == importances(trials(10))


@pytest.mark.slow
def test_the_trial_of_the_cells_own_settings_hides_no_other():
    own = Trial(0, {}, FINISHED, value=9.0)
    assert importances([own, *trials(10)]) == importances(trials(10))
    cell = StudyCell("cf", LISTED, [], trials=[own, *trials(10)])
    figures, notes = search_figures(StudyRecord("s", "", [0], [], None, "val/ndcg@10", cells=[cell]), ["cf"])
    assert [figure.name for figure in figures] == ["search_history", "importance_cf", "parallel_cf"]
    assert "fANOVA over 10 finished trials with drawn parameters" in figures[1].reading
    assert notes == []


def test_too_little_to_judge_is_refused():
    with pytest.raises(
        ComparisonError, match="importances need 8 finished trials besides that of the cell's own settings; found 5"
    ):
        importances([*trials(5), Trial(9, {}, TRIAL_FAILED)])
    same = [Trial(n, {"lr": 0.1}, FINISHED, 0.5) for n in range(10)]
    with pytest.raises(ComparisonError, match="differ in no parameter"):
        importances(same)


def test_a_missing_optuna_is_named(monkeypatch):
    def refuse(name, *args):
        if name == "optuna":
            raise ImportError
        return real(name, *args)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ComparisonError, match="pip install 'optuna>=4'"):
        importances(trials())


def test_parameters_that_only_some_trials_have_are_left_out():
    assert varied([Trial(0, {"a": 1, "b": 2}, FINISHED, 1.0), Trial(1, {"a": 2}, FINISHED, 1.0)]) == ["a"]
    assert varied([]) == []
