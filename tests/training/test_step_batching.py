"""Several optimizer steps for one of Lightning's: the same weights as with its own loop, and only where that is so."""

from datetime import timedelta

import pytest
import pytorch_lightning as pl
import torch
from full import only_full

import recsys
from recsys.config.compose import compose
from recsys.experiment.build import assemble, build_datamodule, build_trainer
from recsys.experiment.inputs import load_split, text_features
from recsys.training.progress import FitProgress
from recsys.training.pruning import Pruning
from recsys.training.step_batching import steps_at_once, watches_steps

# All examples share the draw of these negatives, so that they do not depend on how many steps are taken at once.
CELL = ["encoder=tfidf", "ranker=mlp", "profile=transformer", "features.dim=8", "negatives=in_batch"]


def fitted(small_data, cache_dir, *extra, callbacks=()):
    cfg = compose([*small_data, *CELL, f"paths.cache_dir={cache_dir}", "callbacks=none", "logger=none", *extra])
    split = load_split(cfg)
    pl.seed_everything(0, verbose=False)
    module = assemble(cfg, split, text_features(cfg, split).vectors)
    trainer = build_trainer(cfg, callbacks)
    trainer.fit(module, build_datamodule(cfg, split, module.recommender))
    return module, trainer


@pytest.mark.slow
def test_steps_at_once_end_in_the_weights_of_lightnings_own_loop(small_data, cache_dir):
    runs = [
        fitted(small_data, cache_dir, "trainer.max_epochs=2", f"batches.examples_per_loop_step={n}")
        for n in (0, 1024, 10**6)
    ]
    assert [module.automatic_optimization for module, _ in runs] == [True, False, False]
    assert len({trainer.global_step for _, trainer in runs}) == 1
    assert len({trainer.num_training_batches for _, trainer in runs}) == 3
    assert len({float(module.mean_loss) for module, _ in runs}) == 1
    first = runs[0][0].state_dict()
    for module, _ in runs[1:]:
        assert all(torch.equal(first[name], weight) for name, weight in module.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "trainer.gradient_clip_val=1.0e-6",
        "+trainer.accumulate_grad_batches=4",
        pytest.param("trainer.limit_train_batches=1", marks=only_full),
        "+trainer.max_steps=1",
    ],
)
def test_what_lightning_does_with_each_step_is_done(override, small_data, cache_dir):
    plain, trainer = fitted(small_data, cache_dir)
    other, other_trainer = fitted(small_data, cache_dir, override)
    assert other.automatic_optimization
    moved = [not torch.equal(one, two) for one, two in zip(plain.parameters(), other.parameters(), strict=True)]
    assert any(moved)
    expected = {"accumulate": -(-trainer.global_step // 4), "limit": 1, "max_steps": 1}
    steps = next((n for key, n in expected.items() if key in override), trainer.global_step)
    assert other_trainer.global_step == steps


@pytest.mark.parametrize(
    "setting",
    [
        {"gradient_clip_val": 0.5},
        {"accumulate_grad_batches": 2},
        {"limit_train_batches": 0.1},
        {"fast_dev_run": True},
        {"strategy": "ddp"},
        {"devices": 2},
        {"devices": "auto"},
        {"precision": "bf16-mixed"},
        {"val_check_interval": 0.5},
        {"a_key_that_is_not_known_yet": 1},
    ],
)
def test_lightning_sees_each_step_where_it_has_a_part_in_it(setting):
    assert steps_at_once({"max_epochs": 3, "devices": 1, **setting}, 10, 100) == 1


def test_the_default_trainer_takes_several_steps_and_never_less_than_one():
    trainer = dict(compose([]).trainer)
    assert steps_at_once(trainer, 10, 100) == 10
    assert steps_at_once(trainer, 1000, 100) == 1
    assert steps_at_once(trainer, 10, 0) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "debug", ["overfit", *(pytest.param(name, marks=only_full) for name in ("default", "limit", "profiler"))]
)
def test_every_debug_configuration_runs(debug, small_data, cache_dir, tmp_path):
    paths = [f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}"]
    data = [override for override in small_data if "max_epochs" not in override]
    assert recsys.run([*data, "encoder=none", "ranker=cf", f"debug={debug}", *paths]).record.is_finished


class Seen(pl.Callback):
    """The positives of each training batch."""

    def __init__(self):
        self.positives = []

    def on_train_batch_start(self, trainer, pl_module, batches, batch_idx):
        self.positives += [batch.positives.tolist() for batch in batches]


def test_overfitting_has_the_same_batch_in_each_epoch(small_data, cache_dir):
    short = ["debug=overfit", "trainer.max_epochs=3", "batches.batch_size=64"]
    fitted(small_data, cache_dir, *short, callbacks=[seen := Seen()])
    assert len(seen.positives) == 3
    assert len(seen.positives[0]) == 64
    assert seen.positives[1:] == seen.positives[:1] * 2


class Quiet(pl.Callback):
    """Looks at validation alone."""

    def on_validation_end(self, trainer, pl_module):
        """Nothing."""


class Steps(pl.Callback):
    """Counts what it is shown of each step."""

    def __init__(self):
        self.seen = {"batches": 0, "gradients": 0}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen["batches"] += len(batch) == 1

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen["gradients"] += any(weight.grad is not None for weight in pl_module.parameters())


class Stopping(pl.callbacks.EarlyStopping):
    """A known callback with a hook of its own."""

    def on_after_backward(self, trainer, pl_module):
        """Nothing."""


class Declared(Steps):
    """Watches steps, and depends on none."""

    watches_training = False

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Nothing."""

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Nothing."""


CALLBACKS = pl.callbacks
WATCHING = {  # whether they watch steps
    CALLBACKS.EarlyStopping("val/x"): False,
    CALLBACKS.ModelCheckpoint(): False,
    CALLBACKS.ModelCheckpoint(every_n_train_steps=5): True,
    CALLBACKS.ModelCheckpoint(train_time_interval=timedelta(minutes=1)): True,
    CALLBACKS.TQDMProgressBar(): False,
    CALLBACKS.RichProgressBar(): False,
    CALLBACKS.LearningRateMonitor("epoch"): False,
    CALLBACKS.LearningRateMonitor(): True,
    CALLBACKS.StochasticWeightAveraging(0.1): True,
    CALLBACKS.EMAWeightAveraging(): True,
    CALLBACKS.GradientAccumulationScheduler({0: 2}): True,
    CALLBACKS.LambdaCallback(on_after_backward=print): True,
    CALLBACKS.LambdaCallback(on_test_end=print): False,
    FitProgress(): False,
    Pruning(None, "val/x"): False,
    Quiet(): False,
    Steps(): True,
    Stopping("val/x"): True,
    Declared(): False,
}


@pytest.mark.parametrize(("callback", "expected"), WATCHING.items(), ids=lambda value: type(value).__name__)
def test_callbacks_with_hooks_of_a_step_watch_it_unless_they_are_known(callback, expected):
    assert watches_steps(callback) == expected


@pytest.mark.slow
def test_a_callback_sees_each_step(small_data, cache_dir):
    steps = Steps()
    module, trainer = fitted(small_data, cache_dir, callbacks=[steps])
    assert module.automatic_optimization
    assert trainer.global_step > 1
    assert steps.seen == {"batches": trainer.global_step, "gradients": trainer.global_step}
