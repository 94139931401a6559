"""The yamls of the split strategies."""

import pytest

from recsys.config.compose import build, compose, conf_dir


@pytest.mark.parametrize("path", sorted((conf_dir() / "split").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_yaml_has_all_parameters_and_the_strategys_name(path):
    node = compose([f"split={path.stem}"]).split
    splitter = build("split", node)
    assert splitter.name == path.stem
    assert set(vars(splitter)) == set(node) - {"_target_"}
    assert vars(splitter) == vars(type(splitter)()), "yaml and constructor have the same defaults"
