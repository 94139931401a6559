"""Every fine-tuning mode in whole runs: trained, tested, recorded, reopened, resumed."""

from __future__ import annotations

import pytest
from encoders.tiny_models import gpt2_folder
from pytorch_lightning import Callback

import recsys
from recsys import experiment
from recsys.config import conf_dir
from recsys.evaluation import evaluate_again


class Stopped(Exception):
    """A run was stopped on purpose."""


class StopAfterOneEpoch(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise Stopped


SMALL = ["ranker=dot", "features.dim=8", "train_share=0.2", "negatives.n_negatives=4"]
CELLS = {
    "delta": ["finetune=delta", "encoder=random", "encoder.dim=16"],
    "last_n": ["finetune=last_n", "finetune.learning_rate=5.0e-3"],
    "full": ["finetune=full", "finetune.learning_rate=5.0e-3", "finetune.layer_decay=0.5", "finetune.warmup_steps=5"],
    "bitfit": ["finetune=bitfit", "finetune.learning_rate=2.0e-2", "finetune.gradient_checkpointing=true"],
    "lora": ["finetune=lora", "finetune.rank=2", "finetune.learning_rate=2.0e-2"],
}


def test_every_mode_has_a_cell():
    assert CELLS.keys() | {"frozen"} == {path.stem for path in (conf_dir() / "finetune").glob("*.yaml")}


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    """Overrides for a random GPT-2 of two layers, which reads any text."""
    folder = gpt2_folder(tmp_path_factory.mktemp("gpt2"))
    return ["encoder=gpt2", f"encoder.weights={folder}", "encoder.max_length=16"]


@pytest.fixture
def make(small_data, gpt2, cache_dir, tmp_path):
    def run(*overrides, folder="runs", callbacks=()):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / folder}"]
        encoder = [] if "encoder=random" in overrides else gpt2
        return experiment.run(recsys.compose([*small_data, *encoder, *SMALL, *paths, *overrides]), callbacks)

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
def test_it_is_another_run_than_the_frozen_one_and_fits_its_data_better(mode, make, tmp_path):
    # Without dropout, so that the training loss is that of the model.
    folder = gpt2_folder(tmp_path, resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0)
    weights = [] if mode == "delta" else [f"encoder.weights={folder}"]
    epochs = ["trainer.max_epochs=3", "callbacks=none", *weights]
    same = [override for override in CELLS[mode] if not override.startswith("finetune")]
    tuned, frozen = make(*CELLS[mode], *epochs), make(*same, *epochs)
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
