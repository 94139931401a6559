"""The weights that a fit ends with."""

import pickle
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from pytorch_lightning.callbacks import StochasticWeightAveraging
from torch import nn

from recsys.data.queries import Queries
from recsys.data.ragged import ItemLists
from recsys.schema import RecsysError
from recsys.training import trainer as tested
from recsys.training.trainer import (
    check_finite,
    finish,
    last_checkpoint,
    load_best,
    load_weights,
    per_user,
    weights_of,
)


def trainer_of(path: str) -> SimpleNamespace:
    progress = SimpleNamespace(current=SimpleNamespace(completed=5))
    fit_loop = SimpleNamespace(epoch_progress=progress)
    return SimpleNamespace(callbacks=[], checkpoint_callback=SimpleNamespace(best_model_path=path), fit_loop=fit_loop)


def test_the_best_weights_are_loaded_with_the_number_of_their_epochs(tmp_path):
    best, module = nn.Linear(2, 1), nn.Linear(2, 1)
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": best.state_dict(), "epoch": 2}, path)
    assert load_best(module, trainer_of(str(path))) == 3
    assert torch.equal(module.weight, best.weight)


def test_a_checkpoint_of_other_objects_than_weights_is_not_read(tmp_path):
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {}, "epoch": 2, "code": SimpleNamespace()}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_best(nn.Linear(2, 1), trainer_of(str(path)))


def test_without_a_checkpoint_the_last_weights_stay():
    module = nn.Linear(2, 1)
    before = module.weight.clone()
    assert load_best(module, trainer_of("")) == 5
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_one_weight_that_is_not_finite_is_an_error(value):
    module = SimpleNamespace(recommender=nn.Linear(3, 2), current_epoch=4)
    check_finite(module)
    with torch.no_grad():
        module.recommender.weight[1, 2] = value
    with pytest.raises(RecsysError, match="weight is not finite after epoch 4"):
        check_finite(module)


WHOLE, DAMAGED = "whole", "damaged"


@pytest.mark.parametrize(
    ("last", "best", "continued", "left"),
    [
        (None, WHOLE, None, ["best.ckpt"]),
        (WHOLE, None, "last.ckpt", ["last.ckpt"]),
        (WHOLE, WHOLE, "last.ckpt", ["best.ckpt", "last.ckpt"]),
        (DAMAGED, WHOLE, "best.ckpt", ["best.ckpt", "last.ckpt.damaged"]),
        (DAMAGED, None, None, ["last.ckpt.damaged"]),
        (WHOLE, DAMAGED, None, ["best.ckpt.damaged"]),
    ],
)
def test_an_interrupted_fit_continues_from_the_last_whole_checkpoint(tmp_path, last, best, continued, left):
    for name, state in {"last.ckpt": last, "best.ckpt": best}.items():
        if state is not None:
            torch.save({"state_dict": {}, "loops": {}, "epoch": 1} if state == WHOLE else {}, tmp_path / name)
    assert last_checkpoint(tmp_path) == (continued and tmp_path / continued)
    assert sorted(path.name for path in tmp_path.iterdir()) == left


@pytest.mark.parametrize(
    ("max_epochs", "epoch", "end", "n_averaged", "epochs"),
    [(9, 6, 5, 2, 5), (9, 5, 5, 2, 1), (-1, 3, 5, 2, 5), (9, 6, 5, None, 1)],
    ids=["after the end", "stopped before the end", "without a bound", "before it began"],
)
def test_averaged_weights_stay_where_averaging_came_to_its_end(tmp_path, max_epochs, epoch, end, n_averaged, epochs):
    module, averaging = nn.Linear(1, 1), StochasticWeightAveraging(0.1)
    torch.save({"state_dict": nn.Linear(1, 1).state_dict(), "epoch": 0}, tmp_path / "best.ckpt")
    averaging.n_averaged, averaging._max_epochs = n_averaged, end + 1  # its last epoch is one less
    trainer = trainer_of(str(tmp_path / "best.ckpt"))
    trainer.callbacks, trainer.max_epochs, trainer.current_epoch = [averaging], max_epochs, epoch
    assert load_best(module, trainer) == epochs


def test_weights_are_read_back_and_those_of_another_model_are_an_error(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(weights_of(model))
    load_weights(other, path)
    assert torch.equal(other.weight, model.weight)
    assert torch.equal(other.bias, model.bias)
    with pytest.raises(RecsysError, match=r"missing or damaged \(Error\(s\) in loading state_dict for Linear:\)"):
        load_weights(nn.Linear(2, 4), path)
    with pytest.raises(RecsysError, match="rerun=true"):
        load_weights(other, tmp_path / "none.safetensors")


def test_values_per_user_have_the_raw_id_and_the_sizes_of_each_query(monkeypatch):
    # Query 0 is of user 2 ("c"), query 1 of user 0 ("a"); list 0 belongs to user 0, list 1 to user 2.
    history, positives = (
        ItemLists(np.array(ends), np.arange(ends[-1], dtype=np.int32)) for ends in ([0, 3, 4], [0, 1, 3])
    )
    queries = Queries(np.array([2, 0]), np.array([1, 0]), history, positives)
    stages = []
    monkeypatch.setattr(tested, "stage_queries", lambda split, stage: stages.append(stage) or queries)
    values = {"query": torch.tensor([1, 0]), "mrr": torch.tensor([0.5, 0.25])}
    metrics = {"test": SimpleNamespace(per_query=lambda: dict(values))}
    split = SimpleNamespace(dataset=SimpleNamespace(users=pl.DataFrame({"user_id": ["a", "b", "c"]})))
    found = per_user(SimpleNamespace(metrics_of=metrics.__getitem__), split)
    assert stages == ["test"]
    assert found.to_dict(as_series=False) == {
        "query": [1, 0],
        "user": ["a", "c"],
        "n_history": [3, 1],
        "n_positives": [1, 2],
        "mrr": [0.5, 0.25],
    }


def test_a_finished_run_closes_its_loggers_and_has_no_checkpoints(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_text("")
    calls = []
    plain = SimpleNamespace(finalize=lambda status: calls.append(("plain", status)))
    closed = SimpleNamespace(finalize=lambda status: calls.append(("closed", status)), close=calls.append)
    for _ in range(2):  # without a checkpoint too
        finish(SimpleNamespace(loggers=[plain, closed]), tmp_path, {"test/mrr": 0.5})
    assert calls == 2 * [("plain", "success"), ("closed", "success"), {"test/mrr": 0.5}]
    assert list(tmp_path.iterdir()) == []
