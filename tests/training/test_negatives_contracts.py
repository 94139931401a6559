"""Every yaml of conf/negatives is a sampler that keeps its contract."""

from __future__ import annotations

import inspect

import pytest
from hydra.utils import get_class

from recsys.config.compose import build, compose, conf_dir, is_none
from recsys.testing.negatives_contract import NegativesContract, context, known

CONFIGS = {
    path.stem: compose([f"negatives={path.stem}"]).negatives
    for path in sorted((conf_dir() / "negatives").glob("[!_]*.yaml"))
}
SAMPLERS = [name for name, node in CONFIGS.items() if not is_none(node)]


class TestNegatives(NegativesContract):
    @pytest.fixture(autouse=True, params=SAMPLERS)
    def _name(self, request):
        self.name = request.param

    def make(self, context, known):
        return build("negatives", CONFIGS[self.name])(context, known)


class TestCorrectedNegatives(NegativesContract):
    def make(self, context, known):
        return build("negatives", CONFIGS["popularity"], log_q=True)(context, known)


def test_every_yaml_is_tested_or_is_no_sampler():
    assert CONFIGS.keys() - {*SAMPLERS} == {"none"}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_built_for_the_sizes_of_the_data(name):
    assert build("negatives", CONFIGS[name])(context(), known()).context.n_items == 9


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_yaml_and_its_class_have_the_same_defaults(name):
    node = CONFIGS[name]
    parameters = inspect.signature(get_class(node["_target_"])).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    assert defaults == {key: node[key] for key in defaults}
