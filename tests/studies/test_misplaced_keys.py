"""Keys of the command that stand in a study's yaml, where nothing reads them."""

from __future__ import annotations

import pytest

from recsys.config.compose import compose
from recsys.schema import ConfigError
from recsys.studies.entries import check_study

YAML = """
defaults: [default, _self_]
name: mine
baselines: [[ranker=popularity]]
{further}
"""


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (
            "search: {max_seconds: 60}",
            r"study\.search has no effect, since search is a key of the command: give search\.max_seconds=…",
        ),
        ("formats: [md]", r"study\.formats has no effect, since formats is a key of the command: give formats=…"),
    ],
)
def test_a_key_of_the_command_in_a_study_is_refused(tmp_path, monkeypatch, further, message):
    path = tmp_path / "study" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(YAML.format(further=further))
    monkeypatch.setenv("RECSYS_CONF", str(tmp_path))
    with pytest.raises(ConfigError, match=message):
        check_study(compose(["study=mine"], "study"))


def test_own_keys_that_cells_refer_to_are_accepted(tmp_path, monkeypatch):
    path = tmp_path / "study" / "mine.yaml"
    path.parent.mkdir()
    further = "output: 7\ncells: {one: ['features.dim=${study.output}']}"
    path.write_text(YAML.format(further=further))
    monkeypatch.setenv("RECSYS_CONF", str(tmp_path))
    check_study(compose(["study=mine"], "study"))
