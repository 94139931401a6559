"""Completion of a command line in a shell."""

from __future__ import annotations

import pytest
from in_process import call

from recsys.commands import registry


def completed(line: str) -> list[str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COMP_LINE", line)
        said = call("-sc", ["query=bash"])
    assert (said.status, said.error) == (0, "")
    return said.out.split()


def test_commands_are_completed():
    assert completed("recsys ") == list(registry.COMMANDS)
    assert completed("recsys pre") == ["prepare_data", "pretrain"]
    assert completed("recsys train") == ["train"]
    assert completed("recsys nothing ") == []


def test_options_of_groups_are_completed():
    assert completed("recsys train encoder=t") == ["encoder=tfidf", "encoder=transformer"]
    assert completed("~/bin/recsys train -m split=tem") == ["split=temporal"]
    assert completed("recsys train encoder=bert encoder.poo") == ["encoder.pooling="]


@pytest.mark.slow
def test_keys_are_those_of_the_command():
    assert completed("recsys recommend top") == ["top_k="]
    assert completed("recsys train top") == []
    assert "data=" in completed("recsys prepare-data ")
    assert "learning_rate=" in completed("recsys train ")
    assert "learning_rate=" not in completed("recsys prepare-data ")


@pytest.mark.parametrize("command", [[], ["train"]])
def test_the_script_for_bash_completes_recsys(command):
    first, *rest = [*command, "-sc", "install=bash"]
    said = call(first, rest)
    assert said.status == 0
    assert "$helper -sc query=bash" in said.out
    assert said.out.endswith("complete -o nospace -o default -F hydra_bash_completion recsys\n")
