"""Callbacks that average weights or accumulate gradients do so in a whole run as in a plain loop of single steps."""

from __future__ import annotations

import pytest
import torch
from full import only_full
from pytorch_lightning import Callback
from safetensors.torch import load_file

from recsys import compose
from recsys.experiment import run as experiment

DATA = ["data=synthetic", "data.n_users=100", "data.n_items=60", "data.n_interactions=1500", "data.cold_user_share=0"]
CELL = ["encoder=none", "ranker=cf", "loss=bpr", "negatives.n_negatives=1", "features.dim=8", "batches.batch_size=128"]
FIT = [
    "trainer.max_epochs=4",
    "trainer.enable_progress_bar=false",
    "logger=none",
    "callbacks.early_stopping.patience=9",
]
LAZY = ["optimizer.lazy_max_fraction=1", "optimizer.lazy_min_elements=0"]
SINGLE = ["batches.examples_per_loop_step=0", "optimizer.lazy_max_fraction=0"]
OF_LIGHTNING = "+callbacks.extra={_target_: pytorch_lightning.callbacks.%s}"
SWA = OF_LIGHTNING % "StochasticWeightAveraging, swa_lrs: 0.05, swa_epoch_start: 2, annealing_epochs: 1"
EMA = OF_LIGHTNING % "EMAWeightAveraging, decay: 0.5"
ACCUMULATION = OF_LIGHTNING % "GradientAccumulationScheduler, scheduling: {0: 4}"


class Weights(Callback):
    """Keeps the weights at the beginning of each epoch and at the end of training."""

    def __init__(self) -> None:
        self.epochs: list[torch.Tensor] = []

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs.append(_flat(pl_module.recommender.state_dict()))

    def on_fit_end(self, trainer, pl_module):
        self.last = _flat(pl_module.recommender.state_dict())


def _flat(state: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([state[name].double().flatten() for name in sorted(state)])


@pytest.fixture(scope="module")
def make(cache_dir, tmp_path_factory):
    store = tmp_path_factory.mktemp("averaged")

    def made(*overrides, callbacks=(), folder="runs"):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={store / folder}"]
        return experiment.run(compose([*DATA, *CELL, *FIT, *paths, *overrides]), callbacks)

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    "callback", [SWA, pytest.param(EMA, marks=only_full), ACCUMULATION], ids=["swa", "ema", "accumulation"]
)
def test_a_run_with_the_callback_equals_one_of_single_steps(callback, make):
    without = make(*LAZY)
    fast, single = make(callback, *LAZY), make(callback, *SINGLE, folder="single")
    assert fast.record.metrics == pytest.approx(single.record.metrics, abs=1e-12)
    assert fast.record.metrics != pytest.approx(without.record.metrics, abs=1e-6)
    weights = [_flat(load_file(run.weights)) for run in (fast, single)]
    assert torch.equal(*weights)


@pytest.mark.slow
def test_the_weights_that_were_averaged_last_are_tested(make):
    seen = Weights()
    run = make(SWA, *LAZY, "test_knowledge=train", callbacks=[seen])
    # swa_epoch_start=2 averages from the beginning of the second epoch on: those of epochs 2, 3 and 4
    expected = (seen.epochs[1] + seen.epochs[2] + seen.epochs[3]) / 3
    assert torch.allclose(_flat(load_file(run.weights)), expected, atol=1e-6)


@pytest.mark.slow
def test_the_best_epoch_is_tested_where_training_stops_before_the_average_is_made(make):
    early = ["trainer.max_epochs=30", "callbacks.early_stopping.patience=1", "learning_rate=0.1"]
    late = SWA.replace("swa_epoch_start: 2", "swa_epoch_start: 30")
    record = make(late, *LAZY, *early).record
    curve = [epoch["val/ndcg@10"] for epoch in record.curve]
    assert len(curve) < 30
    assert record.metrics["val/ndcg@10"] == pytest.approx(max(curve), abs=1e-6)
