"""Studies in this process: what is done is found, what fails is told, tuning spends its budget."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest
from full import only_full
from studies.conftest import contents, maker

from recsys.config.compose import compose
from recsys.reports.comparison import compare
from recsys.schema import RecsysError
from recsys.studies.cell_space import CellSpace
from recsys.studies.runner import run_study, tune_study
from recsys.studies.storage import Claims
from recsys.studies.tuning import _Search
from recsys.tracking import memory
from recsys.tracking.store import Store
from recsys.tracking.study_record import StudyRecord
from recsys.training.module import RecommenderModule

ONE = '{text: ["encoder=tfidf", "encoder.n_components=8", "ranker=dot"]}'
DRAWN = ["search=random", "search.defaults_first=false"]
TUNED = ["search=tpe", "search.defaults_first=false", "search.n_trials=3", "search.sampler.n_startup_trials=2"]


@pytest.mark.slow
def test_a_study_is_made_then_found_by_itself_and_by_another_which_marks_the_runs(study_of, tmp_path):
    first = run_study(study_of(), "python …")
    assert (first.n_made, first.n_found, first.failures) == (6, 0, [])
    second = run_study(study_of())
    assert (second.n_made, second.n_found) == (0, 6)
    record = StudyRecord.read(tmp_path / "runs", "tiny")
    assert [cell.label for cell in record.cells] == ["popularity", "cf", "text"]
    assert record.labels[record.cells[1].run_ids["1"]] == ["cf"]
    assert {entry.run_id for entry in first.records} == set(record.labels)
    other = run_study(study_of("study.name=other"))
    assert other.n_found == 6
    assert all(entry.tags == ["tiny", "other"] for entry in Store(tmp_path / "runs").records())


@only_full
def test_the_models_of_runs_and_trials_are_freed(study_of, monkeypatch):
    models = []
    monkeypatch.setattr(
        RecommenderModule, "setup", lambda module, stage: models.append(weakref.ref(module.recommender))
    )
    monkeypatch.setattr(memory, "LEFT", 0)  # these models are small
    gc.disable()  # so that nothing but the study frees them
    try:
        run_study(study_of(*TUNED, "search.n_trials=2", "study.seeds=[0]", cells=ONE))
    finally:
        gc.enable()
    assert len(models) > 6
    assert all(model() is None for model in models)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, cache_dir):
    """A tuned study, with the function that makes its configuration, and its store."""
    store = tmp_path_factory.mktemp("tuned")
    make = maker(store, cache_dir)
    return run_study(make(*TUNED)), make, store


@pytest.mark.slow
def test_every_cell_gets_the_same_budget_and_the_test_is_left_out_of_tuning(tuned):
    result, _, store = tuned
    assert result.failures == []
    trials = {cell.label: len(cell.trials) for cell in result.record.cells}
    assert trials == {"popularity": 0, "cf": 3, "text": 3}
    records = Store(store).records()
    tuning, final = ([r for r in records if r.config["test"] is wanted] for wanted in (False, True))
    assert tuning
    for record in tuning:
        assert not any(name.startswith("test/") for name in record.metrics)
        assert not (store / record.run_id / "per_user.parquet").exists()
        assert not (store / record.run_id / "model.safetensors").exists()
    assert len(final) == 6
    assert {record.tuning["trials"] for record in final} == {3}


@pytest.mark.slow
def test_the_best_trial_is_run_on_every_seed(tuned):
    result, _, store = tuned
    cell = result.record.cells[2]
    best = max((t for t in cell.trials if t.state == "finished"), key=lambda trial: (trial.value, -trial.number))
    assert cell.parameters == {key: str(value) for key, value in best.parameters.items()}
    run = next(record for record in result.records if record.run_id == cell.run_ids["0"])
    assert run.config["optimizer"]["lr"] == best.parameters["optimizer.lr"]
    values = [r.metrics["val/ndcg@10"] for r in Store(store).records() if r.tuning.get("trial") == best.number]
    assert best.value in values


@pytest.mark.slow
def test_the_seed_of_a_trial_is_none_of_the_tested(tuned):
    result, _, store = tuned
    seeds = {(record.seed, record.config["test"]) for record in Store(store).records()}
    assert seeds == {(0, True), (1, True), (1000, False)}
    assert result.record.search["tuning_seeds"] == [1000]


@pytest.mark.slow
def test_a_trial_may_be_the_mean_of_several_seeds(study_of, tmp_path):
    cfg = study_of(*DRAWN, "search.n_trials=1", "search.seeds=2", "study.seeds=[1000]", cells=ONE)
    (trial,) = run_study(cfg).record.cells[1].trials
    runs = [record for record in Store(tmp_path / "runs").records() if not record.config["test"]]
    assert sorted(record.seed for record in runs) == [1001, 1002]
    assert trial.value == pytest.approx(sum(record.metrics["val/ndcg@10"] for record in runs) / 2, abs=1e-12)


@pytest.mark.slow
def test_the_first_trial_may_have_the_cells_own_settings(study_of):
    search = ["search=random", "search.n_trials=2", "search.defaults_first=true"]
    cfg = study_of(*search, "study.seeds=[0]", cells=ONE)
    tune_study(cfg)
    cell = run_study(cfg).record.cells[1]
    first, second = cell.trials
    assert first.parameters == {}
    assert second.parameters
    best = max((first, second), key=lambda trial: trial.value)
    assert cell.parameters.keys() == best.parameters.keys()


@pytest.mark.slow
def test_a_factor_is_trained_with_its_values_under_a_search(study_of):
    factors = "study.factors={features.dim: [4], learning_rate: [0.0001]}"
    cfg = study_of(*DRAWN, "search.n_trials=1", "study.seeds=[0]", factors, cells="{}")
    result = run_study(cfg)
    cells = {cell.label: cell for cell in result.record.cells}
    runs = {label: record for record in result.records for label in result.record.labels[record.run_id]}
    assert len({cell.run_ids["0"] for cell in cells.values()}) == 4
    assert runs["features.dim=4"].config["features"]["dim"] == 4
    assert runs["learning_rate=0.0001"].config["optimizer"]["lr"] == 0.0001
    assert cells["learning_rate=0.0001"].left_out["optimizer.lr"] == "learning_rate=0.0001"
    assert "optimizer.lr" not in cells["learning_rate=0.0001"].parameters
    assert cells["base"].left_out == {"features.dim": "features.dim=8"}  # of study.common
    assert "optimizer.lr" in cells["base"].space


@pytest.mark.slow
def test_cells_that_tuning_makes_the_same_are_all_kept(study_of, tmp_path):
    own = '"encoder=none", "ranker=cf", "loss=bpr"'
    base = f'{{base: [{own}], same: [{own}, "optimizer.lr=0.01"]}}'
    others = (
        "features.init_std: null, profile.init_std: null, optimizer.weight_decay: null, negatives.n_negatives: null"
    )
    space = f"study.space={{optimizer.lr: {{choice: [0.01]}}, {others}}}"
    result = run_study(study_of(*DRAWN, "search.n_trials=1", "study.seeds=[0]", space, cells=base))
    assert [cell.run_ids for cell in result.record.cells[1:]] == [{"0": result.record.cells[1].run_ids["0"]}] * 2
    found = compare(result.records, Store(tmp_path / "runs"), "same", ["ndcg@10"], labels=result.record.labels)
    assert {row.label for row in found.rows} == {"popularity", "base", "same"}
    assert any("base and same are the same runs" in warning for warning in found.warnings)


@pytest.mark.parametrize("ends", [False, True])
def test_a_trial_that_ends_while_it_is_claimed_is_not_taken_up(ends):
    study = optuna.create_study()
    trial = study.ask()

    class OfAWorker(Claims):
        def __init__(self) -> None:
            """No files: the worker that has the trial lets go of it just now."""

        def take(self, stack: ExitStack, number: int) -> bool:
            if ends:
                study.tell(trial, 1.0)
            return True

    nothing = CellSpace(["ranker=popularity"], lambda more: compose(["ranker=popularity", *more]))
    search = _Search(compose(["search=random"], "study"), planned=None, space=nothing, claims=OfAWorker(), study=study)
    with ExitStack() as stack:
        found = search._abandoned(stack)
    assert (found is None) is ends


@pytest.mark.slow
@only_full
def test_a_larger_budget_goes_on_from_the_smaller(tuned):
    result, make, _ = tuned
    large = run_study(make(*TUNED, "search.n_trials=4")).record.cells[1].trials
    assert [t.parameters for t in large[:3]] == [t.parameters for t in result.record.cells[1].trials]
    assert len(large) == 4


@pytest.mark.slow
def test_the_same_search_tries_the_same(tuned, study_of, tmp_path):
    """Beside another cell, and alone."""
    result, _, store = tuned
    other = run_study(study_of(*TUNED, "study.seeds=[0]", cells=ONE)).record.cells[1].trials
    one = result.record.cells[2].trials
    assert [(t.parameters, t.value, t.state) for t in one] == [(t.parameters, t.value, t.state) for t in other]
    first, second = contents(store), contents(tmp_path / "runs")
    assert len(second) == 5
    assert {run_id: first[run_id] for run_id in second} == second


@pytest.mark.slow
def test_a_trial_that_promises_little_is_given_up(study_of, tmp_path):
    pruned = ["search.pruner.n_startup_trials=1", "search.pruner.n_warmup_steps=0"]
    result = run_study(study_of(*DRAWN, "search.n_trials=6", "study.seeds=[0]", *pruned, cells=ONE))
    states = Counter(trial.state for cell in result.record.cells for trial in cell.trials)
    assert states["pruned"] > 0
    assert states["finished"] > 0
    records = Store(tmp_path / "runs").records()
    folders = [path for path in (tmp_path / "runs").iterdir() if path.name not in ("studies", "reports")]
    assert len(records) == len(folders)  # nothing is left of what was given up


@pytest.mark.slow
@pytest.mark.parametrize(
    "search", ["nsga2", *(pytest.param(name, marks=only_full) for name in ("cmaes", "random", "grid"))]
)
def test_every_search_method_makes_its_trials(search, study_of):
    space = "study.space={optimizer.weight_decay: {low: 0.01, high: 0.1}, ranker.cosine: null}"
    tuned = [f"search={search}", "search.defaults_first=false", "search.n_trials=2"]
    result = run_study(study_of(*tuned, space, "study.seeds=[0]", cells=ONE))
    trials = result.record.cells[1].trials
    assert len(trials) == 2
    assert result.failures == []
    assert (trials[0].cost is not None) is (search == "nsga2")


@pytest.mark.slow
def test_an_exhaustive_search_tries_each_combination_once(study_of):
    others = ("features.init_std", "profile.init_std", "optimizer.lr", "optimizer.weight_decay")
    space = f"study.space={{negatives.n_negatives: {{choice: [2, 4]}}, {', '.join(f'{key}: null' for key in others)}}}"
    only = '{cf: ["encoder=none", "ranker=cf"]}'
    search = ["search=grid", "search.n_trials=9", "study.seeds=[0]"]
    result = run_study(study_of(*search, space, cells=only))
    tried = sorted(tuple(trial.parameters.values()) for trial in result.record.cells[1].trials)
    assert tried == [("full_softmax",), ("sampled_softmax", "2"), ("sampled_softmax", "4")]


@pytest.mark.slow
def test_a_failing_run_is_recorded_and_the_others_go_on_and_it_can_be_retried(study_of, tmp_path, monkeypatch):
    bad = '{cf: ["encoder=none","ranker=cf"], bad: ["ranker=dot","learning_rate=1e38"]}'
    result = run_study(study_of("study.seeds=[0]", cells=bad))
    assert [outcome.label for outcome in result.failures] == ["bad"]
    assert "diverged" in result.failures[0].error
    failed = [record for record in result.records if not record.is_finished]
    assert "Traceback" in failed[0].error
    assert len(result.records) - len(failed) == 2
    again = run_study(study_of("study.seeds=[0]", cells=bad))
    assert (again.n_made, again.n_found, len(again.failures)) == (0, 2, 1)
    stamp = (tmp_path / "runs" / failed[0].run_id / "record.json").stat().st_mtime_ns
    run_study(study_of("study.seeds=[0]", "retry_failed=true", cells=bad))
    assert (tmp_path / "runs" / failed[0].run_id / "record.json").stat().st_mtime_ns > stamp


@only_full
def test_a_cell_whose_trials_all_fail_is_told_and_the_others_go_on(study_of):
    bad = '{cf: ["encoder=none","ranker=cf"], bad: ["ranker=dot"]}'
    space = "study.space={optimizer.lr: {choice: [1.0e+38]}}"
    result = run_study(study_of(*DRAWN, "search.n_trials=2", space, "study.seeds=[0]", cells=bad))
    assert {outcome.label for outcome in result.failures} == {"cf", "bad"}
    assert "none of 2 trials of bad was finished" in result.failures[-1].error
    assert [record.name for record in result.records] == ["popularity"]


def test_a_study_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RecsysError, match="there is no study 'x'"):
        StudyRecord.read(Path(tmp_path), "x")
