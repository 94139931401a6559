"""Every yaml of conf/loss is a loss that keeps its contract."""

from __future__ import annotations

import inspect

import pytest
import torch
import yaml
from hydra.utils import get_method

from recsys.config.compose import build, compose, conf_dir, has_likelihood, is_none, is_of_whole_users
from recsys.config.traits import traits_of
from recsys.testing.loss_contract import LossContract, UserLossContract
from recsys.training.teacher_lists import OF_TEACHER

CONFIGS = {path.stem: compose([f"loss={path.stem}"]).loss for path in sorted((conf_dir() / "loss").glob("[!_]*.yaml"))}
OF_USERS = [name for name, node in CONFIGS.items() if is_of_whole_users(node)]
OF_LIKELIHOODS = [name for name, node in CONFIGS.items() if has_likelihood(node)]
OF_POSITIVES = [
    name for name, node in CONFIGS.items() if name not in [*OF_USERS, *OF_LIKELIHOODS] and not is_none(node)
]


def loss_of(name):
    sizes = {"n_items": 20} if traits_of(CONFIGS[name]).get("n_items", False) else {}
    drop = OF_TEACHER if traits_of(CONFIGS[name]).get("teacher", False) else ()
    return build("loss", CONFIGS[name], drop=drop, **sizes)


class TestLosses(LossContract):
    @pytest.fixture(params=OF_POSITIVES)
    def loss(self, request):
        return loss_of(request.param)


class TestUserLosses(UserLossContract):
    @pytest.fixture(params=OF_USERS)
    def loss(self, request):
        return loss_of(request.param)


@pytest.mark.parametrize("name", OF_LIKELIHOODS)
def test_a_loss_of_likelihoods_falls_as_each_of_them_rises(name):
    positive = torch.tensor([-1.0, -3.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss_of(name)(positive), positive)
    assert torch.isfinite(gradient).all()
    assert (gradient < 0).all()


def test_every_yaml_is_tested_or_is_no_loss():
    assert CONFIGS.keys() - {*OF_POSITIVES, *OF_USERS, *OF_LIKELIHOODS} == {"none"}


@pytest.mark.parametrize("name", [*OF_POSITIVES, *OF_USERS, *OF_LIKELIHOODS])
def test_a_yaml_is_named_as_its_function(name):
    target = yaml.safe_load((conf_dir() / "loss" / f"{name}.yaml").read_text())["_target_"]
    assert target.rpartition(".")[2] == name


@pytest.mark.parametrize("name", [*OF_POSITIVES, *OF_USERS, *OF_LIKELIHOODS])
def test_a_yaml_and_its_function_have_the_same_defaults(name):
    node = CONFIGS[name]
    parameters = inspect.signature(get_method(node["_target_"])).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default not in (each.empty, None)}
    assert defaults == {key: node[key] for key in defaults}
