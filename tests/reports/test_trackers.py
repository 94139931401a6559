"""`mlflow=` of compare: the report as an MLflow run with the table and all files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from full import only_full
from reports.made_runs import small_study

from recsys.commands import compare as command
from recsys.config.compose import compose
from recsys.reports import trackers
from recsys.schema import ConfigError, RecsysError
from recsys.support.screen import Screen
from recsys.tracking.store import Store


@pytest.mark.parametrize("name", ["compare", "study"])
def test_a_missing_package_is_reported_with_the_extra_that_installs_it(name, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda package: None)
    trackers.check_trackers(compose([], name))
    with pytest.raises(ConfigError, match=r"mlflow needs .*recsys-experiments\[mlflow\]"):
        trackers.check_trackers(compose(["mlflow=mine"], name))


@pytest.mark.parametrize("key", ["wandb", "mlflow"])
@pytest.mark.parametrize("value", ["3", "[a]", "' '", "true"])
def test_a_tracker_needs_a_name(key, value):
    with pytest.raises(ConfigError, match=f"{key} is .*; expected a name"):
        trackers.check_trackers(compose([f"{key}={value}"], "compare"))


@only_full
def test_a_report_outlives_a_server_that_cannot_be_reached(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@localhost:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    small_study(Store(tmp_path))
    asked = [f"paths.runs_dir={tmp_path}", "mlflow=mine", "formats=[md]"]
    with pytest.raises(RecsysError, match="mlflow=mine: the report is written, and is not in MLflow") as raised:
        command.compare_runs(compose(asked, "compare"), Screen())
    assert "hunter2" not in str(raised.value)
    assert (tmp_path / "reports" / "comparison" / "report.md").is_file()
    assert "bert+dot has the best nDCG@10" in " ".join(capsys.readouterr().out.split())


@only_full
def test_a_report_is_a_run_with_its_table_and_files(tmp_path, monkeypatch):
    client_of = pytest.importorskip("mlflow").MlflowClient
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    small_study(Store(tmp_path))
    asked = [f"paths.runs_dir={tmp_path}", "mlflow=mine", "title=A report", "formats=[md,csv,svg]"]
    comparison = command.compare_runs(compose(asked, "compare"), Screen())
    client = client_of(f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    (made,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert (made.info.status, made.info.run_name) == ("FINISHED", "A report")
    logged = {entry.path for entry in client.list_artifacts(made.info.run_id)}
    assert logged >= {"comparison.json", "report.md", "table.csv", "figures"}
    table = json.loads(Path(client.download_artifacts(made.info.run_id, "comparison.json", str(tmp_path))).read_text())
    best = dict(zip(table["columns"], table["data"][0], strict=True))
    assert best["cell"] == comparison.rows[0].label
    assert best["ndcg@10"] == comparison.rows[0].scores["ndcg@10"].mean
