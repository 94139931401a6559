"""The abilities of rankers are what their yamls and the rest of the package take them to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import get_class

from recsys.rankers import base
from recsys.rankers.base import Explainable, Factorised, Fittable, Ranker, Reconstructing, Scorer
from recsys.rankers.dot import DotRanker
from recsys.rankers.ease import EASERanker
from recsys.testing.ranker_contract import context

CONF = Path(__file__).parents[2] / "conf" / "ranker"
YAMLS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CONF.glob("[!_]*.yaml"))}


@pytest.fixture(params=YAMLS)
def component(request):
    """A ranker's class and its traits."""
    content = YAMLS[request.param]
    return get_class(content["_target_"]), content.get("traits", {})


def test_a_ranker_that_is_not_trained_fits_itself(component):
    ranker, traits = component
    assert traits.get("trained", True) or issubclass(ranker, Fittable)


def test_a_user_level_loss_goes_with_rankers_that_reconstruct(component):
    ranker, traits = component
    assert issubclass(ranker, Reconstructing) == traits.get("whole_users", False)


def test_a_ranker_names_each_protocol_that_it_implements(component):
    ranker, _ = component
    for name in ("Fittable", "Factorised", "Explainable", "Reconstructing", "SequenceReader", "Diagnosable"):
        protocol = getattr(base, name)
        members = {key for key in vars(protocol) if not key.startswith("_")}
        assert all(hasattr(ranker, key) for key in members) == (protocol in ranker.__mro__)


def test_the_page_on_the_architecture_has_each_protocol_once():
    page = Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md"
    table = page.read_text().partition("| protocol | members |")[2].partition("\n\n")[0]
    protocols = [name for name, value in vars(base).items() if getattr(value, "_is_protocol", False)]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted(set(protocols) - {"Protocol"})


def test_a_ranker_has_two_methods_and_two_attributes():
    members = {key for cls in (Ranker, Scorer) for key in vars(cls) if not key.startswith("_")}
    assert members == {"score", "score_catalogue", "reads_history", "reads_user"}


def test_an_ability_is_a_matter_of_members_and_not_of_bases():
    class Outside(Ranker):
        def fit(self, train):
            self.fitted = True

        def score(self, users, items):
            return torch.zeros(items.idx.shape)

        def score_catalogue(self, users, items):
            return torch.zeros(len(users.vectors), len(items.idx))

    assert isinstance(Outside(), Fittable)
    assert not isinstance(Outside(), Factorised)
    assert not isinstance(DotRanker(context()), Fittable)
    assert not isinstance(DotRanker(context()), Explainable)
    assert isinstance(EASERanker(context()), Explainable)


def test_a_protocol_that_is_named_must_be_complete():
    class Incomplete(DotRanker, Fittable):
        pass

    with pytest.raises(TypeError, match="fit"):
        Incomplete(context())
