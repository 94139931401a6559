"""`recsys runs` as a user types it, on real runs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from commands import run as typed

from recsys.tracking.store import Store


@pytest.fixture(scope="module")
def place(small_data, cache_dir, tmp_path_factory) -> Path:
    """A folder with the store of two runs of two epochs; metrics of the second depend on its dropout."""
    folder = tmp_path_factory.mktemp("place")
    cell = ["profile=transformer", "features.dim=8", "encoder=tfidf", "trainer.max_epochs=2", "tags=[trial]"]
    done = typed("train", "-m", *small_data, *cell, "ranker=dot,mlp", cwd=folder, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def runs(place, cache_dir):
    def command(*arguments: str, status: int = 0) -> str:
        done = typed("runs", *arguments, cwd=place, cache=cache_dir)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


@pytest.fixture(scope="module")
def records(place):
    return {record.choices["ranker"]: record for record in Store(place / "runs").records()}


@pytest.mark.slow
def test_list_show_and_diff(runs, records):
    listed = runs("select=[ranker:mlp]", "tag=trial", "sort=-test/ndcg@10")
    assert records["mlp"].run_id in listed
    assert records["dot"].run_id not in listed
    assert f"{records['mlp'].metrics['test/ndcg@10']:.4f}" in listed
    assert "data_fingerprint" in runs("action=show", f"run={records['dot'].run_id[:6]}")
    different = runs("action=diff", f"run={records['dot'].run_id}", f"other={records['mlp'].run_id}")
    assert "ranker._target_" in different
    assert "run_dir" not in different
    assert "must not be compared" not in different


@pytest.mark.slow
def test_a_run_is_reproduced_from_its_record_to_the_last_bit(runs, records, place):
    before = sorted(path.name for path in (place / "runs").iterdir())
    told = runs("action=reproduce", f"run={records['mlp'].run_id}", "fresh_cache=true")
    n_numbers = int(told.split(" numbers compared: ")[0].split()[-1])
    assert n_numbers > len(records["mlp"].metrics)
    assert f"{n_numbers} numbers compared: {n_numbers} equal to the last bit." in told
    assert "Versions, commit and machine are those of the record." in told
    assert sorted(path.name for path in (place / "runs").iterdir()) == before


@pytest.mark.slow
def test_a_number_that_is_not_reproduced_is_told(runs, records, place, tmp_path):
    run_id = records["dot"].run_id
    path = place / "runs" / run_id / "record.json"
    content = json.loads(path.read_text())
    right = json.dumps(content)
    content["metrics"]["test/ndcg@10"] += 2e-6
    content["metrics"]["test/recall@10"] += 5e-7
    content["versions"]["torch"] = "1.0"
    path.write_text(json.dumps(content))
    try:
        told = runs("action=reproduce", f"run={run_id}", status=1)
    finally:
        path.write_text(right)
    assert "1 within 1e-06, 1 differs" in told
    assert "torch was 1.0 and is " in told


@pytest.mark.slow
def test_export_reads_back(runs, records, place):
    assert "2 runs with" in runs("action=export", "output=all.parquet")
    frame = pl.read_parquet(place / "all.parquet")
    assert dict(zip(frame["run_id"], frame["test/ndcg@10"], strict=True)) == {
        record.run_id: record.metrics["test/ndcg@10"] for record in records.values()
    }
    assert frame["config.ranker._target_"].n_unique() == 2


@pytest.mark.slow
def test_a_mistake_is_told_in_a_sentence(runs):
    assert "expected one of list, show, diff, reproduce, delete, export" in runs("action=remove", status=2)


@pytest.mark.slow
def test_delete_says_first_and_does_when_confirmed(runs, records, place):
    assert "confirm=true deletes 1 run" in runs("action=delete", "select=[ranker:dot]")
    assert Store(place / "runs").ids() == sorted(record.run_id for record in records.values())
    runs("action=delete", "select=[ranker:dot]", "confirm=true")
    assert Store(place / "runs").ids() == [records["mlp"].run_id]
