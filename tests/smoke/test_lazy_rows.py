"""Whole runs with late updates of rows."""

from __future__ import annotations

import pytest
from full import only_full
from pytorch_lightning import Callback

import recsys
from recsys.experiment import run as experiment
from recsys.optim.lazy_adam import LazyAdam

CELLS = {
    "ids": ["encoder=none", "ranker=cf", "loss=bpr", "negatives.n_negatives=1"],
    "hybrid": ["encoder=tfidf", "ranker=cf", "features=hybrid", "profile=id"],
    "deepfm": ["encoder=tfidf", "ranker=deepfm"],
}
SMALL = ["features.dim=8", "batches.batch_size=48", "trainer.max_epochs=3", "callbacks.early_stopping.patience=9"]
SMALL += ["train_share=0.4", "batches.examples_per_loop_step=96"]  # two optimizer steps in each of Lightning's
ALWAYS, NEVER = ["optimizer.lazy_max_fraction=1", "optimizer.lazy_min_elements=0"], ["optimizer.lazy_max_fraction=0"]


class Stopped(Exception):
    """A run was stopped on purpose."""


class Watch(Callback):
    """Sees whether rows have missed updates, and may stop a run."""

    watches_training = False  # it changes nothing, so rows may be updated lazily

    def __init__(self, stop: bool = False) -> None:
        self.stop, self.most_missed = stop, 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        (optimizer,) = trainer.optimizers
        assert isinstance(optimizer, LazyAdam)
        missed = [table.missed.n_steps for table in optimizer.tables.values()]
        self.most_missed = max([self.most_missed, *missed])

    def on_train_epoch_start(self, trainer, pl_module):
        if self.stop and trainer.current_epoch == 2:
            raise Stopped


@pytest.fixture
def make(small_data, cache_dir, tmp_path):
    def run(*overrides, folder="runs", watch=None):
        paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path / folder}"]
        return experiment.run(recsys.compose([*small_data, *SMALL, *paths, *overrides]), [watch] if watch else [])

    return run


OTHER_CELLS = [pytest.param(cell, "adamw", marks=only_full) for cell in CELLS if cell != "hybrid"]


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "optimizer"), [("ids", "adam"), ("hybrid", "adamw"), *OTHER_CELLS])
def test_metrics_are_those_of_moving_all_rows(cell, optimizer, make):
    # In 64 bits, since a rounding error may turn two films of nearly the same score round.
    watch, chosen = Watch(), [*CELLS[cell], f"optimizer={optimizer}", "trainer.precision=64-true"]
    lazy, eager = make(*chosen, *ALWAYS, watch=watch), make(*chosen, *NEVER)
    assert watch.most_missed > 5
    assert lazy.record.metrics == pytest.approx(eager.record.metrics, rel=1e-6)
    losses = [[epoch["train/loss"] for epoch in run.record.curve] for run in (lazy, eager)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-8)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_ends_as_if_never_stopped(make):
    whole = make(*CELLS["ids"], *ALWAYS)
    with pytest.raises(Stopped):
        make(*CELLS["ids"], *ALWAYS, folder="stopped", watch=Watch(stop=True))
    resumed = make(*CELLS["ids"], *ALWAYS, folder="stopped")
    assert resumed.record.metrics == whole.record.metrics
    assert resumed.record.curve == whole.record.curve


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["trainer.gradient_clip_val=1", "trainer.accumulate_grad_batches=2"])
def test_all_rows_are_moved_where_lightning_has_a_part_in_steps(trainer, make):
    watch = Watch()
    make(*CELLS["ids"], *ALWAYS, f"+{trainer}" if "accumulate" in trainer else trainer, watch=watch)
    assert watch.most_missed == 0
