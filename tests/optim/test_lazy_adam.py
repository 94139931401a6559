"""LazyAdam against torch's own Adam and AdamW."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from recsys.layers.embedding import WarmEmbedding
from recsys.optim.lazy_adam import LazyAdam
from recsys.optim.lazy_updates import begin_lazy_updates, end_lazy_updates
from recsys.optim.schedule import warm_up
from recsys.schema import ConfigError

N_ROWS, DIM = 64, 4
DECAYS = [(0.0, False), (0.0, True), (0.5, True)]


class Model(nn.Module):
    """A table and a weight that is none, of 64 bits, so that differences are those of the method."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = WarmEmbedding(torch.ones(N_ROWS, dtype=torch.bool), DIM, 0.1, False)
        self.other = nn.Parameter(torch.ones(DIM))
        self.double()

    def loss(self, rows: Tensor, size: float = 1.0) -> Tensor:
        generator = torch.Generator().manual_seed(int(rows.sum()))
        wanted = torch.randn(rows.shape, generator=generator, dtype=torch.float64)  # never fitted, so no gradient dies
        return size * (self.table(rows) @ self.other - wanted).pow(2).mean()


def lazy(model: Model, lr: float = 0.01, weight_decay: float = 0.0, decoupled: bool = True, **keys: float) -> LazyAdam:
    optimizer = LazyAdam(
        model.parameters(), lr, weight_decay, decoupled, **{"lazy_max_fraction": 0.125, "lazy_min_elements": 0} | keys
    )
    optimizer.begin_lazy_updates([model.table])
    return optimizer


def eager(model: Model, lr: float = 0.01, weight_decay: float = 0.0, decoupled: bool = True) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    return kind(model.parameters(), lr=lr, weight_decay=weight_decay, fused=True)


def rows_of_step(step: int) -> Tensor:
    """Few rows, some twice, some for the first time after hundreds of steps."""
    generator = torch.Generator().manual_seed(step)
    few = torch.randint(0, N_ROWS // 2, (6,), generator=generator)
    return torch.cat([few, torch.tensor([N_ROWS - 1, few[0]])]) if step % 150 == 0 else few


def train(model: Model, optimizer: torch.optim.Optimizer, steps: range, size: float = 1.0) -> None:
    schedule = warm_up(optimizer)
    for step in steps:
        optimizer.zero_grad()
        model.loss(rows_of_step(step), size).backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()


def assert_equal(ours: Model, theirs: Model, tolerance: float = 1e-9) -> None:
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("weight_decay", "decoupled"), DECAYS)
def test_weights_are_those_of_torch(weight_decay, decoupled):
    ours, theirs = Model(), Model()
    optimizer = lazy(ours, 0.01, weight_decay, decoupled)
    train(ours, optimizer, range(500))
    train(theirs, eager(theirs, 0.01, weight_decay, decoupled), range(500))
    (table,) = optimizer.tables.values()
    assert table.missed.n_steps == 500, "no step moved all rows"
    assert_equal(ours, theirs)


@pytest.mark.slow
def test_moments_are_those_of_torch():
    ours, theirs = Model(), Model()
    optimizers = lazy(ours), eager(theirs)
    for model, optimizer in zip((ours, theirs), optimizers, strict=True):
        train(model, optimizer, range(300))
    states = [optimizer.state_dict()["state"] for optimizer in optimizers]
    for parameter, state in states[1].items():
        for name, value in state.items():
            torch.testing.assert_close(states[0][parameter][name], value, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-6])
def test_gradients_as_small_as_epsilon(size):
    ours, theirs = Model(), Model()
    train(ours, lazy(ours), range(200), size)
    train(theirs, eager(theirs), range(200), size)
    moved = (theirs.table.weight - Model().table.weight).abs().max()
    assert moved > 1e-2
    assert_equal(ours, theirs, tolerance=2e-3 * float(moved.detach()))


def test_a_learning_rate_that_rises():
    ours, theirs = Model(), Model()
    optimizers = lazy(ours), eager(theirs)
    for model, optimizer in zip((ours, theirs), optimizers, strict=True):
        optimizer.param_groups[0]["warmup_steps"] = 120
        train(model, optimizer, range(200))
    assert_equal(ours, theirs)


@pytest.mark.slow
def test_steps_without_a_learning_rate():
    ours, theirs = Model(), Model()
    for model, optimizer in ((ours, lazy(ours)), (theirs, eager(theirs))):
        train(model, optimizer, range(10))
        optimizer.param_groups[0]["lr"] = 0.0
        train(model, optimizer, range(10, 400))  # longer than anything is remembered
        optimizer.param_groups[0]["lr"] = 0.01
        train(model, optimizer, range(400, 420))
    assert_equal(ours, theirs)


def test_reading_many_rows_or_all_between_few():
    ours, theirs = Model(), Model()
    for model, optimizer in ((ours, lazy(ours)), (theirs, eager(theirs))):
        for step in range(120):
            optimizer.zero_grad()
            loss = model.loss(rows_of_step(step))
            if step % 40 == 20:
                loss = loss + model.table.table().pow(2).mean() + model.loss(torch.arange(N_ROWS))
            if step % 40 == 21:
                loss = model.other.sum()
            loss.backward()
            optimizer.step()
    assert_equal(ours, theirs)


def test_scoring_between_steps_reads_rows_that_caught_up():
    ours, theirs = Model(), Model()
    train(ours, lazy(ours), range(50))
    train(theirs, eager(theirs), range(50))
    rows = torch.tensor([[3, 3], [N_ROWS - 2, 0]])
    with torch.inference_mode():
        torch.testing.assert_close(ours.table(rows), theirs.table(rows), rtol=1e-9, atol=1e-9)
    assert_equal(ours, theirs)


def test_goes_on_from_a_saved_state():
    whole, first = Model(), Model()
    train(whole, lazy(whole), range(100))
    optimizer = lazy(first)
    train(first, optimizer, range(60))
    saved, resumed = copy.deepcopy((first.state_dict(), optimizer.state_dict())), Model()
    resumed.load_state_dict(saved[0])
    optimizer = lazy(resumed, lr=1.0)  # what is saved counts
    optimizer.load_state_dict(saved[1])
    train(resumed, optimizer, range(60, 100))
    assert_equal(resumed, whole)


def test_a_closure_is_called_once_and_its_loss_returned():
    model, calls = Model(), []
    optimizer = lazy(model)

    def closure() -> Tensor:
        calls.append(None)
        loss = model.loss(rows_of_step(0))
        loss.backward()
        return loss

    assert optimizer.step(closure).requires_grad
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("weight_decay", "decoupled", "keys"),
    [(0.1, False, {}), (0.0, True, {"lazy_max_fraction": 0.0}), (0.0, True, {"lazy_min_elements": N_ROWS * DIM + 1})],
)
def test_moves_all_rows_where_leaving_them_cannot_be_or_does_not_pay(weight_decay, decoupled, keys):
    ours, theirs = Model(), Model()
    optimizer = lazy(ours, 0.01, weight_decay, decoupled, **keys)
    assert not optimizer.tables
    train(ours, optimizer, range(20))
    train(theirs, eager(theirs, 0.01, weight_decay, decoupled), range(20))
    assert_equal(ours, theirs, tolerance=0.0)


def test_refuses_a_gradient_of_rows_that_have_not_caught_up():
    model = Model()
    optimizer = lazy(model)
    train(model, optimizer, range(3))
    model.table.weight.pow(2).mean().backward()
    with pytest.raises(RuntimeError, match="had missed updates"):
        optimizer.step()


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match=rf"lazy_max_fraction is {share}; expected a finite number from 0 to 1\."):
        lazy(Model(), lazy_max_fraction=share)


def test_the_end_of_lazy_updates_leaves_an_ordinary_table():
    ours, theirs = Model(), Model()
    optimizer = lazy(ours)
    train(ours, optimizer, range(30))
    optimizer.end_lazy_updates()
    train(theirs, eager(theirs), range(30))
    torch.testing.assert_close(ours.table.weight, theirs.table.weight, rtol=1e-9, atol=1e-9)
    assert ours.table.before_read is None
    assert not optimizer.tables


def test_lazy_updates_may_begin_again():
    ours, theirs = Model(), Model()
    optimizer = lazy(ours)
    for start in (0, 40, 80):
        train(ours, optimizer, range(start, start + 40))
        optimizer.begin_lazy_updates([ours.table])
    train(theirs, eager(theirs), range(120))
    torch.testing.assert_close(ours.table.weight, theirs.table.weight, rtol=1e-9, atol=1e-9)


def test_states_are_saved_without_missed_updates():
    ours, theirs = Model(), Model()
    optimizer = lazy(ours)
    train(ours, optimizer, range(30))
    train(theirs, eager(theirs), range(30))
    late = (ours.table.weight - theirs.table.weight).detach().abs().max()
    saved = nn.ModuleDict({"part": ours}).state_dict()["part.table.weight"]
    assert float(late) > 1e-4
    torch.testing.assert_close(saved, theirs.table.weight.detach(), rtol=1e-9, atol=1e-9)


def test_other_optimizers_and_models_are_left_as_they_are():
    model = Model()
    begin_lazy_updates(eager(model), model)
    assert model.table.before_read is None
    optimizer = lazy(model)
    begin_lazy_updates(optimizer, nn.Linear(2, 2))
    assert not optimizer.tables
    begin_lazy_updates(optimizer, model)
    assert list(optimizer.tables) == [model.table]
    end_lazy_updates(optimizer)
    assert not optimizer.tables
