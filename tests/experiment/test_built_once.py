"""What is built once for several configurations follows their values and the classes that they name."""

from __future__ import annotations

import sys
from collections import Counter
from types import ModuleType

import pytest
from omegaconf import OmegaConf

import recsys
from recsys.config import compose as compose_module
from recsys.config import hydra_internals
from recsys.config.compose import _composed, plain
from recsys.experiment import rehearsal
from recsys.experiment.built_once import Settings, _shared, completed, metric_suite, shared
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
    hydra_internals._parsed.clear()
    _composed.cache_clear()
    assert plain(recsys.compose(["ranker=mlp", "profile=recurrent"])) == expected
    assert len(parsed) > 10


def test_a_part_is_built_once_for_equal_settings():
    first, same, other = (recsys.compose([f"ranker.temperature={value}"]).ranker for value in (0.5, 0.5, 0.7))
    assert shared("ranker", first) is shared("ranker", same)
    assert shared("ranker", first) is not shared("ranker", other)
    assert shared("loss", recsys.compose(["loss=none", "ranker=ease"]).loss) is None


def test_what_may_have_a_state_is_built_at_each_call():
    encoder = recsys.compose(["encoder=tfidf"]).encoder
    assert shared("encoder", encoder) is not shared("encoder", encoder)
    retriever = {"_target_": "builtins.dict"}
    holder = OmegaConf.create({"_target_": "builtins.dict", "_partial_": True, "inner": retriever})
    assert shared("ranker", holder) is not shared("ranker", holder)


def test_impossible_values_name_their_group():
    node = OmegaConf.create({"_target_": "builtins.int", "_partial_": True})
    with pytest.raises(ConfigError, match="ranker: ValueError: invalid literal"):
        completed("ranker", node, "x")
    assert completed("ranker", node, "3") == 3


def test_a_run_builds_no_part_twice(small_data, cache_dir, tmp_path, monkeypatch):
    built = Counter()
    instantiate = compose_module.instantiate
    monkeypatch.setattr(
        compose_module, "instantiate", lambda node, **extra: built.update([node._target_]) or instantiate(node, **extra)
    )
    _shared.cache_clear()
    recsys.run([*small_data, f"paths.cache_dir={cache_dir}", f"paths.runs_dir={tmp_path}", "trainer.max_epochs=1"])
    often = {target.rpartition(".")[2] for target, n in built.items() if n > 1}
    # Each fit has a trainer and an encoder of its own; one more encoder names the run. Features hold a component.
    assert often <= {"Trainer", "TfidfEncoder", "ItemFeatures"}
    assert sum(built.values()) <= 20
