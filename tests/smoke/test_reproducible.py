"""Same configuration and seed, same numbers; killed and resumed or reopened, the same too."""

from __future__ import annotations

import pytest
from full import only_full
from smoke.killed_run import kill_after

import recsys
from recsys.experiment.evaluation import evaluate_again
from recsys.tracking.store import Store

CELL = ["encoder=tfidf", "ranker=mlp", "profile=transformer", "features.dim=8"]  # has dropout, negatives and a shuffle


def run_in(folder, small_data, cache, *extra):
    return recsys.run([*small_data, *CELL, f"paths.cache_dir={cache}", f"paths.runs_dir={folder}", *extra])


def results(run):
    return run.record.metrics, run.record.segments, Store(run.folder.parent).per_user(run.record.run_id)


def test_the_same_command_in_fresh_folders_gives_the_same_to_the_last_bit(small_data, tmp_path):
    first, second = (
        run_in(tmp_path / f"runs{i}", small_data, tmp_path / f"cache{i}", "trainer.max_epochs=2") for i in range(2)
    )
    assert first.record.run_id == second.record.run_id
    for one, other in zip(results(first), results(second), strict=True):
        assert one.equals(other) if hasattr(one, "equals") else one == other


@only_full
def test_another_seed_gives_another_run(small_data, cache_dir, tmp_path):
    first, second = (run_in(tmp_path, small_data, cache_dir, f"seed={seed}") for seed in range(2))
    assert first.record.run_id != second.record.run_id
    assert first.record.metrics != second.record.metrics
    assert first.record.protocol_fingerprint == second.record.protocol_fingerprint


@pytest.mark.slow
def test_a_finished_run_is_found_and_tests_the_same_when_reopened(small_data, cache_dir, tmp_path):
    run = run_in(tmp_path, small_data, cache_dir)
    stamp = (run.folder / "record.json").stat().st_mtime_ns
    second = run_in(tmp_path, small_data, cache_dir)
    assert second.record == run.record
    assert (run.folder / "record.json").stat().st_mtime_ns == stamp
    again = evaluate_again(recsys.load(run.folder))
    assert again == {name: value for name, value in run.record.metrics.items() if name.startswith("test/")}


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_if_never_killed(small_data, cache_dir, tmp_path):
    epochs = ["trainer.max_epochs=4", "callbacks.early_stopping.patience=4"]
    whole = run_in(tmp_path / "whole", small_data, cache_dir, *epochs)
    killed = tmp_path / "killed"
    folder = killed / whole.record.run_id
    settings = [*small_data, *CELL, *epochs, f"paths.cache_dir={cache_dir}", f"paths.runs_dir={killed}"]
    kill_after(folder / "checkpoints" / "last.ckpt", killed, *settings)
    assert not (folder / "record.json").exists()
    resumed = run_in(killed, small_data, cache_dir, *epochs)
    for one, other in zip(results(whole), results(resumed), strict=True):
        assert one.equals(other) if hasattr(one, "equals") else one == other
