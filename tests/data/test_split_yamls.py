"""The yamls of the split strategies."""

import pytest
from split_contract import dataset_of, log_rows

from recsys.config.compose import build, compose, conf_dir
from recsys.config.traits import traits_of
from recsys.schema import RecsysError


@pytest.mark.parametrize("path", sorted((conf_dir() / "split").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_has_all_parameters_and_the_strategys_name(path):
    node = compose([f"split={path.stem}"]).split
    splitter = build("split", node)
    assert splitter.name == path.stem
    assert set(vars(splitter)) == set(node) - {"_target_", "traits"}
    assert vars(splitter) == vars(type(splitter)()), "yaml and constructor have the same defaults"


@pytest.mark.parametrize("path", sorted((conf_dir() / "split").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_says_whether_the_strategy_needs_times(path):
    node = compose([f"split={path.stem}"]).split
    is_refused = False
    try:
        build("split", node).split(dataset_of(log_rows().drop("timestamp")))
    except RecsysError as error:
        is_refused = "needs timestamps" in str(error)
    assert is_refused == traits_of(node).get("needs_times", False)
