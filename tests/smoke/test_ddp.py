"""Two processes give what one gives: the same training, the same test, one record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import run as typed
from full import only_full
from polars.testing import assert_frame_equal

import recsys
from recsys.config.compose import compose
from recsys.data.queries import train_examples
from recsys.experiment.evaluation import evaluate_again
from recsys.experiment.finished import Run
from recsys.experiment.inputs import load_split
from recsys.tracking.store import Store

# Nothing here is drawn by each process on its own, as dropout and sampled negatives are; ID embeddings have no ties.
CELL = ["encoder=none", "ranker=cf", "loss=full_softmax", "negatives=all", "trainer.max_epochs=3", "num_threads=1"]
DDP = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


def indivisible_batch_size(overrides: list[str]) -> int:
    """An odd one that leaves one example over: no batch can be halved, and the last leaves one process without any."""
    n_examples = len(train_examples(load_split(compose(overrides))).users)
    return next(size for size in range(301, n_examples, 2) if n_examples % size == 1)


@pytest.fixture(scope="module")
def cell(small_data, cache_dir) -> list[str]:
    overrides = [*small_data, *CELL, f"paths.cache_dir={cache_dir}"]
    return [*overrides, f"batches.batch_size={indivisible_batch_size(overrides)}"]


@pytest.fixture(scope="module")
def alone(cell, tmp_path_factory) -> Run:
    return recsys.run([*cell, f"paths.runs_dir={tmp_path_factory.mktemp('alone')}"])


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("together")


@pytest.fixture(scope="module")
def printed(cell, place, cache_dir) -> str:
    done = typed("train", *cell, *DDP, cwd=place, cache=cache_dir)
    assert done.returncode == 0, done.stderr
    assert "sync_dist" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def together(printed, place) -> Run:
    return recsys.load(place / re.search(r"Run: (\S+)", printed)[1])


@pytest.mark.slow
def test_two_processes_print_and_record_once(printed, together, place, cell, cache_dir):
    assert printed.count("Run: ") == 1
    assert [path.parent for path in place.glob("runs/*/record.json")] == [together.folder]
    found = typed("train", *cell, *DDP, cwd=place, cache=cache_dir)
    lines = found.stdout.splitlines()
    assert [line for line in lines if not line.startswith("Found: this run was made on")] == printed.splitlines()
    assert len(lines) == len(printed.splitlines()) + 1


@pytest.mark.slow
def test_two_processes_train_as_one_does_on_the_same_batches(alone, together):
    assert together.record.metrics == pytest.approx(alone.record.metrics, abs=1e-5, nan_ok=True)
    assert len(together.record.curve) == 3
    for one, two in zip(alone.record.curve, together.record.curve, strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    for (name, one), two in zip(alone.model.named_parameters(), together.model.parameters(), strict=True):
        assert (one - two).abs().max() < 1e-5, name


@pytest.mark.slow
def test_two_processes_test_every_query_once(alone, together):
    one, two = (Store(run.folder.parent).per_user(run.record.run_id) for run in (alone, together))
    assert_frame_equal(one, two, abs_tol=1e-6)


@only_full
@pytest.mark.slow
def test_one_process_and_two_measure_the_same_of_the_same_weights(alone, together, place, cache_dir):
    by_two = {name: value for name, value in together.record.metrics.items() if name.startswith("test/")}
    one_process = Run(together.record, together.folder, together.cfg.copy())
    one_process.cfg.trainer = alone.cfg.trainer
    assert evaluate_again(one_process) == pytest.approx(by_two, abs=1e-6, nan_ok=True)
    again = typed("evaluate", f"run={together.record.run_id}", cwd=place, cache=cache_dir)
    assert again.returncode == 0, again.stderr
    assert len(re.findall(r"0 of \d+ metrics differ", again.stdout)) == 1
