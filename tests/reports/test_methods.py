from __future__ import annotations

import re
from dataclasses import replace

import yaml
from reports.made_runs import made_run, small_study
from reports.made_study import made_study

from recsys.config.compose import conf_dir
from recsys.reports.comparison import compare
from recsys.reports.document import sections
from recsys.reports.methods import _references, bibliography, methods
from recsys.tracking.store import Store
from recsys.tracking.study_record import FINISHED, LISTED, StudyCell, StudyRecord, Trial

DATA = {"users": 1200, "items": 30, "parts": {"train": {"interactions": 900}, "test": {"interactions": 100}}}


def test_the_paragraph_has_the_numbers_of_the_records(tmp_path):
    store = Store(tmp_path)
    protocol = {"data": {"name": "toy"}, "split": "random", "test_knowledge": "refit", "candidates": "all"}
    changes = {"protocol": protocol, "data_statistics": DATA, "versions": {"torch": "2.1", "other": "1"}}
    changes["code"] = {"recsys": "0.2.0"}
    tuned = {"study": "toy", "trials": 20, "parameters": {"features.dim": "8"}}
    runs = [made_run(store, "bert", "dot", seed, [0.5, 0.1], tuning=tuned, **changes) for seed in (3, 4)]
    nothing = {"study": "toy", "trials": 20, "parameters": {}}  # of a cell without keys to tune
    runs += [made_run(store, "none", "popularity", seed, [0.2, 0.3], tuning=nothing, **changes) for seed in (3, 4)]
    text = methods(compare(runs, store, "popularity", ["ndcg@10", "coverage@10"]))
    assert text.startswith(
        "We used the data set toy (1,200 users and 30 items). The split random gives 900 train and 100"
    )
    assert "each model was fitted again on train and validation interactions" in text
    assert "with 20 trials for each tuned cell. Not tuned, or best with their own settings: popularity." in text
    assert "We report nDCG@10 and coverage@10 on the test part; candidates: all." in text
    assert "means over 2 users and 2 seeds (3, 4)." in text
    assert "with Holm's correction; p < 0.05 is significant. Software: recsys 0.2.0, torch 2.1." in text


def tuned_run(store, ranker, parameters, trials=20):
    tuning = {"study": "toy", "trials": trials, "parameters": parameters}
    return made_run(store, "none", ranker, 0, [0.5, 0.1], tuning=tuning)


def test_a_cell_whose_own_settings_were_the_best_was_tuned(tmp_path):
    store = Store(tmp_path)
    runs = [
        tuned_run(store, "ease", {}),
        tuned_run(store, "als", {"ranker.dim": "8"}),
        tuned_run(store, "popularity", {}),
    ]
    trials = [Trial(number, {}, FINISHED, value=0.1) for number in range(20)]
    cells = [StudyCell(name, LISTED, [], trials=trials) for name in ("ease", "als")]
    study = StudyRecord(
        "toy", "", [0], ["ndcg@10"], None, "val/ndcg@10", cells=[*cells, StudyCell("popularity", LISTED, [])]
    )
    text = methods(compare(runs, store, None, ["ndcg@10"]), study)
    assert "with 20 trials for each tuned cell. Not tuned: popularity." in text


def test_a_grid_with_fewer_combinations_than_trials_has_its_own_number(tmp_path):
    store = Store(tmp_path)
    trials = [Trial(number, {}, FINISHED, value=0.1) for number in range(6)]
    cells = [StudyCell("als", LISTED, [], trials=trials)]
    study = StudyRecord("toy", "", [0], ["ndcg@10"], None, "val/ndcg@10", cells=cells)
    found = compare([tuned_run(store, "als", {"ranker.dim": "8"})], store, None, ["ndcg@10"])
    assert "with 6 trials for each tuned cell." in methods(found, study)


def test_a_run_that_another_study_made_with_nothing_to_tune_is_not_tuned(tmp_path):
    store = Store(tmp_path)
    runs = [tuned_run(store, "popularity", {}), made_run(store, "none", "ease", 0, [0.2, 0.4])]
    assert "No hyperparameters were tuned." in methods(compare(runs, store, None, ["ndcg@10"]))


def test_the_sampler_is_named_by_its_class(tmp_path):
    store = Store(tmp_path)
    found = compare([made_run(store, "bert", "dot", 0, [0.5, 0.1], tuning={"trials": 6})], store, None, ["ndcg@10"])
    search = {"sampler": {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 6}}
    study = replace(made_study(Store(tmp_path / "study"), n_seeds=1, n_users=4)[0], search=search)
    assert "with 30 trials for each tuned cell (sampler TPESampler)." in methods(found, study)  # of made_study


def test_without_tuning_baseline_or_statistics_it_stands(tmp_path):
    store = Store(tmp_path)
    text = methods(compare(small_study(store)[:1], store, None, ["ndcg@10"]))
    assert "No hyperparameters were tuned." in text
    assert "The split random was used." in text
    assert "Differences" not in text


def test_metrics_without_values_per_user_have_no_intervals_or_tests(tmp_path):
    store = Store(tmp_path)
    runs = [made_run(store, "none", ranker, 0, [0.1, 0.3]) for ranker in ("cf", "popularity")]
    text = methods(compare(runs, store, "popularity", ["coverage@10"]))
    assert "Intervals" not in text
    assert "tested by" not in text


def test_bibtex_is_of_the_used_parts_alone(tmp_path):
    store = Store(tmp_path)
    text = bibliography(compare(small_study(store), store, None, ["ndcg@10"]))
    assert re.findall(r"@\w+\{(\w+),", text) == ["bert", "holm"]
    assert "  title = {{BERT}: Pre-training of Deep Bidirectional Transformers" in text
    assert text.count("{") == text.count("}")


def test_every_reference_is_of_parts_that_exist():
    folders = {path.name for path in conf_dir().iterdir() if path.is_dir()}
    for key, entry in _references().items():
        assert {"type", "author", "title", "year"} <= entry.keys(), key
        for part in entry["of"]:
            group, name = part.split("/")
            assert group not in folders or (conf_dir() / group / f"{name}.yaml").is_file(), part
            assert group in {*folders, "versions", "correction"}, part
    assert yaml.safe_dump(sorted(_references())).isascii()


def test_cells_that_were_left_out_are_in_the_report_and_the_methods(tmp_path):
    store = Store(tmp_path)
    study, runs = made_study(store, n_seeds=2, n_users=20)
    part = replace(study, n_left_out=4)
    found = compare(runs, store, None, ["ndcg@10"], labels=study.labels)
    said = "study.only left out 4 cells of this study, and p-values are corrected for the remaining cells alone."
    assert said in methods(found, part)
    assert said in sections(found, study=part)[0].sentences
    assert not any("study.only" in line for line in sections(found, study=study)[0].sentences)
