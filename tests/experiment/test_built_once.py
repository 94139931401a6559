"""What is built once for several configurations follows their values and the classes that they name."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from omegaconf import OmegaConf

import recsys
from recsys.config import parsed_files
from recsys.config.compose import _composed, plain
from recsys.experiment import rehearsal
from recsys.experiment.built_once import Settings, metric_suite
from recsys.experiment.rehearsal import rehearse
from recsys.schema import ConfigError


def settings(**values):
    return Settings(OmegaConf.create(values), values)


def test_settings_are_equal_for_equal_values():
    assert settings(a=1, b=[2]) == settings(b=[2], a=1)
    assert hash(settings(a=1, b=[2])) == hash(settings(b=[2], a=1))
    assert settings(a=1) != settings(a=2)
    assert settings(a=1) != settings(a=1.0)


def test_a_class_that_is_defined_again_is_another(monkeypatch):
    module = ModuleType("made_here")
    monkeypatch.setitem(sys.modules, "made_here", module)
    module.Part = type("Part", (), {})
    first = settings(parts=[{"_target_": "made_here.Part"}])
    assert first == settings(parts=[{"_target_": "made_here.Part"}])
    module.Part = type("Part", (), {})
    assert first != settings(parts=[{"_target_": "made_here.Part"}])


def test_configurations_share_their_metrics():
    first, same = (metric_suite(recsys.compose(overrides)) for overrides in (["seed=1"], ["ranker=ease"]))
    assert first is same
    other = metric_suite(recsys.compose(["metrics.val=[auc]"]))
    assert (first.names("val") != other.names("val"), other.names("val")) == (True, ["auc"])


def test_the_seeds_of_a_cell_are_rehearsed_once(monkeypatch):
    calls = []
    build = rehearsal.build_recommender
    monkeypatch.setattr(rehearsal, "build_recommender", lambda *given: calls.append(given) or build(*given))
    for seed in range(3):
        rehearse(recsys.compose(["ranker=dot", "features.dim=7", f"seed={seed}"]))
    assert len(calls) == 1
    rehearse(recsys.compose(["ranker=dot", "features.dim=5"]))
    assert len(calls) == 2


def test_a_configuration_that_is_refused_is_refused_again():
    cfg = recsys.compose(["ranker.temperature=-1"])
    for _ in range(2):
        with pytest.raises(ConfigError, match="temperature"):
            rehearse(cfg)


def test_a_file_is_parsed_once(monkeypatch):
    expected = plain(recsys.compose(["ranker=mlp", "profile=recurrent"]))
    recsys.compose(["ranker=mlp"])
    parsed = []
    load = OmegaConf.load
    monkeypatch.setattr(OmegaConf, "load", lambda file: parsed.append(file) or load(file))
    _composed.cache_clear()
    assert plain(recsys.compose(["ranker=mlp", "profile=recurrent"])) == expected
    assert parsed == []
    parsed_files._parsed.clear()
    _composed.cache_clear()
    assert plain(recsys.compose(["ranker=mlp", "profile=recurrent"])) == expected
    assert len(parsed) > 10
