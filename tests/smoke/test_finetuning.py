"""Every fine-tuning mode in whole runs: trained, tested, recorded, reopened, resumed, served."""

from __future__ import annotations

import math

import polars as pl
import pytest
import torch
from encoders.tiny_models import gpt2_folder
from full import only_full
from pytorch_lightning import Callback

import recsys
from recsys.config.compose import conf_dir
from recsys.encoders import upper_layers
from recsys.encoders.network import TextNetwork
from recsys.experiment import run as experiment
from recsys.experiment.evaluation import evaluate_again
from recsys.experiment.rehearsal import rehearse
from recsys.schema import ConfigError
from recsys.serving.model import serve
from recsys.serving.new_texts import with_items


class Stopped(Exception):
    """A run was stopped on purpose."""


class StopAfterOneEpoch(Callback):
    watches_training = False  # so that steps are taken as without it

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise Stopped


SMALL = ["ranker=dot", "features.dim=8", "train_share=0.1", "negatives.n_negatives=2", "batches.batch_size=64"]
SMALL += ["trainer.max_epochs=2", "callbacks.early_stopping.patience=9", "metrics.val=[ndcg@10]"]
CELLS = {
    "delta": ["finetune=delta", "encoder=random", "encoder.dim=16", "finetune.learning_rate=0.1"],
    "last_n": ["finetune=last_n", "finetune.learning_rate=1.0e-2"],
    "full": ["finetune=full", "finetune.learning_rate=1.0e-2", "finetune.layer_decay=0.5", "finetune.warmup_steps=5"],
    "bitfit": ["finetune=bitfit", "finetune.learning_rate=5.0e-2", "finetune.gradient_checkpointing=true"],
    "lora": ["finetune=lora", "finetune.rank=2", "finetune.learning_rate=5.0e-2", "finetune.dropout=0.1"],
}
SAME_WAY = ["last_n", "full", "bitfit"]  # as delta and lora, a run of these goes on after a stop


def test_every_mode_has_a_cell():
    assert CELLS.keys() | {"frozen"} == {path.stem for path in (conf_dir() / "finetune").glob("*.yaml")}


@pytest.fixture(scope="module")
def make(small_data, cache_dir, tmp_path_factory):
    """Runs on a random GPT-2 of two layers, which reads any text; equal ones are made once."""
    root = tmp_path_factory.mktemp("finetuning")
    # Without dropout, so that a training loss is that of the model.
    weights = gpt2_folder(root / "gpt2", resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0)
    gpt2 = ["encoder=gpt2", f"encoder.weights={weights}", "encoder.max_length=16"]

    def run(*overrides, folder="runs", callbacks=()):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={root / folder}"]
        encoder = [] if "encoder=random" in overrides else gpt2
        return experiment.run(recsys.compose([*small_data, *encoder, *SMALL, *paths, *overrides]), callbacks)

    return run


def losses(run):
    return [epoch["train/loss"] for epoch in run.record.curve]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["lora", *(pytest.param(name, marks=only_full) for name in CELLS if name != "lora")])
def test_a_run_is_recorded_and_a_reopened_one_tests_the_same(mode, make):
    run = make(*CELLS[mode])
    again = evaluate_again(recsys.load(run.folder))
    assert again == {name: value for name, value in run.record.metrics.items() if name.startswith("test/")}
    assert run.record.choices["finetune"] == mode


# For each mode: test_encoder_modes.py.
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "epochs"), [("delta", 2), pytest.param("full", 3, marks=only_full)])
def test_it_is_another_run_than_the_frozen_one_and_fits_its_data_better(mode, epochs, make):
    longer = [f"trainer.max_epochs={epochs}", "learning_rate=0.03", "train_share=0.3", "test=false"]
    same = [override for override in CELLS[mode] if not override.startswith("finetune")]
    tuned, frozen = make(*CELLS[mode], *longer), make(*same, *longer)
    assert tuned.record.run_id != frozen.record.run_id
    assert losses(tuned)[-1] < losses(frozen)[-1]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["delta", "lora", *(pytest.param(name, marks=only_full) for name in SAME_WAY)])
def test_a_run_that_was_stopped_goes_on_and_ends_as_if_never_stopped(mode, make):
    whole = make(*CELLS[mode])
    with pytest.raises(Stopped):
        make(*CELLS[mode], folder="stopped", callbacks=[StopAfterOneEpoch()])
    resumed = make(*CELLS[mode], folder="stopped")
    assert resumed.record.metrics == whole.record.metrics
    assert resumed.record.curve == whole.record.curve


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["last_n", pytest.param("full", marks=only_full)])
def test_each_text_is_encoded_once_a_step_and_the_catalogue_once_an_evaluation(mode, make, monkeypatch):
    trained, evaluated, cuts = [], [], []
    forward, activations = TextNetwork.forward, upper_layers._activations

    def counted(network, rows):
        (trained if torch.is_grad_enabled() else evaluated).append(rows.tolist())
        return forward(network, rows)

    monkeypatch.setattr(TextNetwork, "forward", counted)
    monkeypatch.setattr(upper_layers, "_activations", lambda *args: cuts.append(1) or activations(*args))
    run = make(*CELLS[mode], "trainer.max_epochs=1", "test_knowledge=train", folder="counted")
    texts = len(set(run.split.dataset.texts))
    assert all(len(set(rows)) == len(rows) for rows in trained)
    steps = math.ceil(run.split.train.height / 64)
    assert len(trained) == steps > 1
    first, *catalogues = evaluated  # before training, some vectors are compared with the frozen encoder's
    assert len(first) <= 8
    assert catalogues == [list(range(texts))] * 3  # the epoch's validation, that of the best weights, and the test
    assert len(cuts) == (mode == "last_n")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["full", pytest.param("last_n", marks=only_full)])
def test_a_text_that_the_run_never_saw_goes_through_the_trained_layers(mode, make):
    served = serve(make(*CELLS[mode]))
    extended = with_items(served, pl.DataFrame({"item_id": ["new"], "text": [served.items["text"][5]]}))
    torch.testing.assert_close(extended.item_vectors[-1], served.item_vectors[5], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(extended.item_vectors[:-1], served.item_vectors, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_gradients_accumulate_by_the_trainers_key(make):
    steps = []

    class Count(Callback):
        def on_train_end(self, trainer, pl_module):
            steps.append(trainer.global_step)

    once = ["trainer.max_epochs=1", "test_knowledge=train"]
    run = make(*CELLS["full"], "+trainer.accumulate_grad_batches=2", *once, callbacks=[Count()])
    assert steps == [math.ceil(math.ceil(run.split.train.height / 64) / 2)]


def test_more_layers_than_there_are_are_refused_before_data_is_read(tmp_path):
    encoder = ["encoder=gpt2", f"encoder.weights={gpt2_folder(tmp_path)}", "encoder.max_length=16"]
    absent = ["data=table", "data.path=nowhere", "data.interactions.file=nothing.csv"]
    rehearse(recsys.compose([*absent, *encoder, "finetune=last_n", "finetune.n_layers=2"]))
    with pytest.raises(ConfigError, match=r"finetune\.n_layers is 3, but the encoder has 2 layers"):
        rehearse(recsys.compose([*absent, *encoder, "finetune=last_n", "finetune.n_layers=3"]))
