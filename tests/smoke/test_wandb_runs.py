"""`logger=wandb` and `wandb=…` as a user types them, without a network."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from commands import run as typed
from tracking.wandb_files import read

from recsys.tracking.store import Store


@pytest.fixture(scope="module")
def place(small_data, cache_dir, tmp_path_factory) -> Path:
    """A folder whose store has two runs that one process has made."""
    folder = tmp_path_factory.mktemp("place")
    arguments = ["-m", *small_data, "encoder=none", "ranker=cf", "seed=0,1"]
    arguments += ["logger=wandb", "tags=[mine]", "+tuning.study=demo"]
    done = typed("train", *arguments, cwd=folder, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return folder


@pytest.mark.slow
def test_each_run_of_a_process_has_a_wandb_run_of_its_own(place):
    records = Store(place / "runs").records()
    assert len(records) == 2
    for record in records:
        told = read(place / "runs" / record.run_id)
        assert told["id"] == told["config"]["run_id"] == record.run_id
        assert (told["group"], told["job_type"], told["tags"]) == ("demo", "train", ["mine"])
        assert told["name"] == f"none+cf seed {record.seed}"
        assert told["config"]["choices.ranker"] == "cf"
        assert told["config"]["seed"] == record.seed
        assert told["exit_code"] == 0
        assert told["kept"] == {"val/ndcg@10": ["max"], "val/recall@10": ["max"]}
        assert {name: told["summary"][name] for name in record.metrics} == record.metrics
        assert told["summary"]["seconds/fit"] == record.times["fit"]
        assert [line["val/ndcg@10"] for line in told["history"] if "val/ndcg@10" in line]


@pytest.mark.slow
def test_a_comparison_is_logged_when_it_is_asked_for(place, cache_dir):
    plain = typed("compare", cwd=place, cache=cache_dir)
    assert plain.returncode == 0, plain.stderr
    folder = place / "runs" / "reports" / "comparison"
    assert not (folder / "wandb").exists()
    done = typed("compare", "wandb=recsys", "title=Mine", cwd=place, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    told = read(folder)
    assert (told["name"], told["job_type"], told["exit_code"]) == ("Mine", "report", 0)
    (table,) = folder.glob("wandb/offline-run-*/files/media/table/comparison*.json")
    content = json.loads(table.read_text())
    row = dict(zip(content["columns"], content["data"][0], strict=True))
    values = [record.metrics["test/ndcg@10"] for record in Store(place / "runs").records()]
    assert row["cell"] == "cf"
    assert row["ndcg@10"] == pytest.approx(sum(values) / 2, abs=1e-6)
    assert row["ndcg@10 low"] < row["ndcg@10"] < row["ndcg@10 high"]
    for kind in ("png", "html"):
        assert list(folder.glob(f"wandb/offline-run-*/files/media/**/*.{kind}")), kind


@pytest.mark.slow
def test_a_dead_network_neither_fails_nor_stalls_a_run(small_data, cache_dir, tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    done = typed("train", *small_data, "encoder=none", "ranker=cf", "logger=wandb", cwd=tmp_path, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 90  # with 10 to 20 s for the imports on a busy machine
    told = done.stdout + done.stderr
    assert told.count("http://127.0.0.1:9 cannot be used") == 1
    (record,) = Store(tmp_path / "runs").records()
    assert read(tmp_path / "runs" / record.run_id)["exit_code"] == 0
