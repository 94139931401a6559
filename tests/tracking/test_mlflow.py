"""`logger=mlflow`: names of metrics, the optional package, and a run in a local database."""

import pytest
from full import only_full

import recsys
from recsys.experiment import loggers
from recsys.schema import ConfigError
from recsys.tracking.mlflow import metric_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/ndcg@10", "val/ndcg_at_10"),
        ("test/items=cold/recall@5", "test/items_cold/recall_at_5"),
        ("seconds/fit", "seconds/fit"),
    ],
)
def test_names_of_metrics_have_only_characters_that_mlflow_allows(name, expected):
    assert metric_name(name) == expected


@pytest.mark.parametrize("logger", ["mlflow", "tensorboard"])
def test_a_missing_package_is_reported_with_the_extra_that_installs_it(logger, monkeypatch):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    cfg = recsys.compose(["ranker=popularity", f"logger={logger}"])
    with pytest.raises(ConfigError, match=rf"logger\.{logger} needs .*recsys-experiments\[{logger}\]"):
        loggers.check_loggers(cfg)


@pytest.mark.parametrize(
    ("value", "message"),
    [("+logger.mlflow.nosuch=1", "nosuch is an unknown key"), ("logger.mlflow.group=[a]", "expected a text or null")],
)
def test_keys_and_values_are_checked(value, message):
    with pytest.raises(ConfigError, match=message):
        loggers.check_loggers(recsys.compose(["logger=mlflow", value]))


@only_full
def test_a_run_is_in_the_database_of_the_runs_folder(small_data, cache_dir, tmp_path):
    client = pytest.importorskip("mlflow").MlflowClient
    paths = [f"paths.runs_dir={tmp_path}", f"paths.cache_dir={cache_dir}"]
    settings = ["encoder=none", "ranker=cf", "trainer.max_epochs=1", "logger=mlflow", "tags=[mine]"]
    run = recsys.run([*small_data, *settings, *paths])
    store = client(f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    (made,) = store.search_runs([store.get_experiment_by_name("recsys").experiment_id])
    assert (made.info.status, made.info.run_name) == ("FINISHED", "none+cf seed 0")
    assert (made.data.tags["recsys.run_id"], made.data.tags["tags"]) == (run.record.run_id, "mine")
    assert made.data.params["choices.ranker"] == "cf"
    assert {name: made.data.metrics[metric_name(name)] for name in run.record.metrics} == run.record.metrics
    assert len(store.get_metric_history(made.info.run_id, "val/ndcg_at_10")) > 0
