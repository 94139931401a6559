"""The steps that a fit takes with the module, and what it logs."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import LambdaCallback
from torch import nn
from training.small_module import BATCH, ITEMS, USERS, Recorded, loss_and_gradients, module_of

from recsys.layers.embedding import WarmEmbedding
from recsys.schema import TrainBatch, UserBatch
from recsys.training.losses import full_softmax, sampled_softmax
from recsys.training.negatives import AllNegatives, UniformNegatives

QUIET = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)


@pytest.mark.parametrize(
    ("stage", "callback", "is_automatic"),
    [
        ("fit", LambdaCallback(on_train_batch_end=print), True),
        ("fit", Callback(), False),
        ("test", LambdaCallback(on_train_batch_end=print), False),
    ],
)
def test_lightning_takes_the_steps_where_a_callback_watches_them(stage, callback, is_automatic):
    module = module_of(sampled_softmax)
    module.automatic_optimization = False
    module.trainer = SimpleNamespace(callbacks=[callback])
    module.setup(stage)
    assert module.automatic_optimization == is_automatic


@pytest.mark.parametrize("is_automatic", [True, False])
@pytest.mark.parametrize("warmup_steps", [0, 4])
def test_a_fit_takes_one_step_of_the_optimizer_for_each_batch(is_automatic, warmup_steps):
    parts = [slice(0, 2), slice(2, 4), slice(4, 6)]
    batches = [TrainBatch(UserBatch.without_history(USERS[part]), ITEMS[part]) for part in parts]
    steps = [[batch] for batch in batches] if is_automatic else [batches[:2], batches[2:]]
    module = module_of(full_softmax)
    module.sampler, module.scores_users_once = None, False  # as before a fit
    module.automatic_optimization = is_automatic
    groups = [{"params": list(module.recommender.parameters()), "warmup_steps": warmup_steps}]
    module.make_optimizer = lambda parameters: torch.optim.SGD(groups, lr=0.5)
    loader = torch.utils.data.DataLoader(steps, batch_size=None)
    Trainer(max_epochs=1, accelerator="cpu", **QUIET).fit(module, loader)

    expected, losses = module_of(full_softmax), []
    for number, batch in enumerate(batches, start=1):
        loss, *gradients = loss_and_gradients(expected, batch.by_user())
        losses.append(loss)
        lr = 0.5 * number / 4 if warmup_steps else 0.5
        with torch.no_grad():
            for parameter, gradient in zip(expected.recommender.parameters(), gradients, strict=True):
                parameter -= lr * gradient
        expected.zero_grad()
    for own, other in zip(module.recommender.parameters(), expected.recommender.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    torch.testing.assert_close(module.mean_loss, torch.stack(losses).mean())
    torch.testing.assert_close(module.trainer.callback_metrics["train/loss"], module.mean_loss)


class LateSGD(torch.optim.SGD):
    """SGD that notes when it may update rows of embeddings late; it updates none late."""

    def __init__(self, parameters, calls):
        super().__init__(parameters, lr=0.5)
        self.calls = calls

    def begin_lazy_updates(self, embeddings):
        self.calls.append([type(part) for part in embeddings])

    def end_lazy_updates(self):
        self.calls.append("end")

    def step(self, closure=None):
        self.calls.append("step")
        return super().step(closure)


@pytest.mark.parametrize("is_automatic", [True, False])
def test_rows_may_be_late_within_an_epoch_in_which_the_module_takes_the_steps(is_automatic):
    module, calls = module_of(sampled_softmax), []
    module.automatic_optimization = is_automatic
    module.make_optimizer = lambda parameters: LateSGD(parameters, calls)
    trainer = Trainer(max_epochs=2, accelerator="cpu", **QUIET)
    trainer.fit(module, torch.utils.data.DataLoader(2 * [[BATCH]], batch_size=None))
    epoch = ["step", "step"] if is_automatic else [[WarmEmbedding, WarmEmbedding], "step", "step", "end"]
    assert calls == 2 * epoch


@pytest.mark.parametrize(("sampler", "n_rows"), [(AllNegatives, 3), (partial(UniformNegatives, n_negatives=2), 6)])
def test_a_step_scores_each_user_once_where_all_users_share_the_negatives(sampler, n_rows):
    def loss(positive, negative, mask, rows=None):
        assert len(positive) == 6
        scored.append(len(negative))
        return positive.sum()

    scored = []
    module = module_of(loss, sampler)
    module.losses, module.generator = [], torch.Generator()
    module.training_step([BATCH], 0)
    assert scored == [n_rows]


def test_the_loss_of_an_epoch_is_logged_as_the_mean_of_its_steps_over_all_processes(monkeypatch):
    module, logged = module_of(Recorded()), []
    module.losses = [torch.tensor(1.0), torch.tensor(4.0)]
    monkeypatch.setattr(module, "log", lambda name, value, **how: logged.append((name, value.item(), how)))
    module.on_train_epoch_end()
    assert logged == [("train/loss", 5 / 2, {"sync_dist": True})]


def test_metrics_are_logged_by_stage_and_those_of_the_validation_begin_anew(monkeypatch):
    class Counted(nn.Module):
        n_resets = 0

        def compute(self):
            return {"mrr": 0.5}

        def reset(self):
            self.n_resets += 1

    module, logged = module_of(Recorded()), []
    module.stage_metrics = nn.ModuleDict({"val": Counted(), "test": Counted()})
    monkeypatch.setattr(module, "log_dict", lambda values, prog_bar: logged.append((values, prog_bar)))
    module.on_validation_epoch_end()
    module.on_test_epoch_end()
    assert logged == [({"val/mrr": 0.5}, True), ({"test/mrr": 0.5}, False)]
    assert [module.stage_metrics[stage].n_resets for stage in ("val", "test")] == [1, 0]
