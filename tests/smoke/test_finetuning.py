"""Every fine-tuning mode in whole runs: trained, tested, recorded, reopened, resumed."""

from __future__ import annotations

import pytest
from pytorch_lightning import Callback

import recsys
from recsys import experiment
from recsys.evaluation import evaluate_again


class Stopped(Exception):
    """A run was stopped on purpose."""


class StopAfterOneEpoch(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise Stopped


DOT = ["ranker=dot", "features.dim=8"]
CELLS = {
    "delta": ["finetune=delta", "encoder=tfidf", "encoder.n_components=16"],
}


@pytest.fixture
def make(small_data, cache_dir, tmp_path):
    def run(*overrides, folder="runs", callbacks=()):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / folder}"]
        return experiment.run(recsys.compose([*small_data, *DOT, *paths, *overrides]), callbacks)

    return run


@pytest.mark.parametrize("mode", CELLS)
def test_a_run_is_recorded_and_a_reopened_one_tests_the_same(mode, make):
    run = make(*CELLS[mode])
    again = evaluate_again(recsys.load(run.folder))
    assert again == {name: value for name, value in run.record.metrics.items() if name.startswith("test/")}
    assert run.record.choices["finetune"] == mode


def losses(run):
    return [epoch["train/loss"] for epoch in run.record.curve]


@pytest.mark.parametrize("mode", CELLS)
def test_it_is_another_run_than_the_frozen_one_and_fits_its_data_better(mode, make):
    epochs = ["trainer.max_epochs=4", "callbacks=none"]
    tuned, frozen = make(*CELLS[mode], *epochs), make(*CELLS[mode], *epochs, "finetune=frozen")
    assert tuned.record.run_id != frozen.record.run_id
    assert losses(tuned)[-1] < losses(frozen)[-1]


@pytest.mark.parametrize("mode", CELLS)
def test_a_run_that_was_stopped_goes_on_and_ends_as_if_never_stopped(mode, make):
    epochs = ["trainer.max_epochs=2", "callbacks.early_stopping.patience=9"]
    whole = make(*CELLS[mode], *epochs, folder="whole")
    with pytest.raises(Stopped):
        make(*CELLS[mode], *epochs, folder="stopped", callbacks=[StopAfterOneEpoch()])
    resumed = make(*CELLS[mode], *epochs, folder="stopped")
    assert resumed.record.metrics == whole.record.metrics
    assert resumed.record.curve == whole.record.curve
