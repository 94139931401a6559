"""The weights that a fit ends with."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from recsys.schema import RecsysError
from recsys.training.trainer import check_finite, load_best


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
