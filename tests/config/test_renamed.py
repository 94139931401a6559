"""An old name of a key raises an error with the new one, and records of before are read by new names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra.utils import get_object
from omegaconf import OmegaConf

import recsys
from recsys.config.compose import build, plain
from recsys.config.renamed import COMMAND_KEYS, PLACES, RUN_KEYS, check_typed, with_new_names
from recsys.config.trust import recorded
from recsys.schema import ConfigError
from recsys.tracking.record import Record
from recsys.tracking.run_id import cell_of

FILE = Path("store/a1/record.json")


@pytest.mark.parametrize("old", RUN_KEYS)
def test_a_typed_old_key_of_a_run_is_an_error_that_has_the_new_one(old):
    for typed in (f"{old}=1", f"+{old}=1", f"++{old}=1", f"~{old}"):
        with pytest.raises(ConfigError, match=f"{old} is an unknown key; it is called {RUN_KEYS[old]} now"):
            recsys.compose(["ranker=prompt", typed])


@pytest.mark.parametrize(("command", "old"), [(name, old) for name, keys in COMMAND_KEYS.items() for old in keys])
def test_the_same_of_a_command_and_only_of_that_one(command, old):
    new = COMMAND_KEYS[command][old]
    with pytest.raises(ConfigError, match=f"{old} is an unknown key; it is called {new} now"):
        recsys.compose([f"{old}=1"], command)
    assert new in recsys.compose([], command)
    check_typed([f"{old}=1"], "train")


def test_new_keys_are_known_and_places_exist():
    cfg = recsys.compose(["ranker=prompt", "loss=sampled_softmax", "optimizer=adam"])
    for new in RUN_KEYS.values():
        if not new.startswith("optimizer."):
            assert OmegaConf.select(cfg, new) is not None
    optimizer = recsys.compose([]).optimizer
    assert {key.rpartition(".")[2] for key in RUN_KEYS.values() if key.startswith("optimizer.")} <= optimizer.keys()
    for new in PLACES.values():
        assert get_object(new) is not None


def test_an_old_key_in_a_component_is_named_where_unknown_keys_are():
    node = OmegaConf.create({**plain(recsys.compose([]).optimizer), "lazy_share": 0.5})
    with pytest.raises(
        ConfigError, match=r"optimizer.lazy_share is an unknown key; it is called optimizer.lazy_max_fra"
    ):
        build("optimizer", node)


def old_config() -> dict:
    """The configuration of a run as records had it before the renames."""
    config = plain(recsys.compose(["optimizer=adamw", "features=views"]))
    config["batches"]["examples_at_once"] = config["batches"].pop("examples_per_loop_step")
    for old, new in (("lazy_share", "lazy_max_fraction"), ("lazy_numbers", "lazy_min_elements")):
        config["optimizer"][old] = config["optimizer"].pop(new)
    config["optimizer"]["_target_"] = "recsys.training.lazy_adam.LazyAdam"
    config["features"]["_target_"] = "recsys.training.views.ViewFeatures"
    config["loss"]["_target_"] = "recsys.training.losses.softmax"
    return config


def test_a_record_of_before_is_read_by_new_names_and_trusted(tmp_path):
    now = plain(recsys.compose(["optimizer=adamw", "features=views"]))
    facts = {"run_id": "a1", "name": "dot", "choices": {}, "seed": 0, "protocol": {}}
    record = Record(**facts, config=now, overrides=[], tuning={"parameters": {"optimizer.lazy_share": "0.5"}})
    record.write(tmp_path / "record.json")
    content = json.loads((tmp_path / "record.json").read_text())
    content |= {"config": old_config(), "overrides": ["batches.examples_at_once=0", "seed=0"]}
    (tmp_path / "record.json").write_text(json.dumps(content))
    found = Record.read(tmp_path / "record.json")
    assert found.config == now
    assert found.overrides == ["batches.examples_per_loop_step=0", "seed=0"]
    assert found.tuning == {"parameters": {"optimizer.lazy_max_fraction": "0.5"}}
    assert cell_of(found) == cell_of(record)
    assert plain(recorded(found.config, FILE)) == now


def test_keys_of_other_packages_stay_and_trust_is_checked_after_the_names():
    own = {"ranker": {"_target_": "my_package.Ranker", "measured_users": 3}}
    assert with_new_names(own) == own
    evil = with_new_names({"optimizer": {"_target_": "recsys.training.lazy_adam.os.system", "command": "x"}})
    with pytest.raises(ConfigError, match=r"is not trusted|cannot be imported"):
        recorded(evil, FILE)
