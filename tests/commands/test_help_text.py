"""`recsys COMMAND --help`."""

from __future__ import annotations

import re
import shlex

import pytest
from in_process import call

import recsys
from recsys.commands import registry
from recsys.commands.help_text import help_text
from recsys.config.comments import commented_keys
from recsys.config.folders import conf_dir


def title_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith(" ")]


@pytest.mark.parametrize("name", registry.COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_every_command(name, option):
    said = call(name, ["encoder=no_such_option", option])
    assert (said.status, said.error) == (0, "")
    assert said.out.startswith(f"Usage: recsys {name} [key=value ...]\n\n{registry.summary(name)}\n")
    assert said.out.count(f"  recsys {name} ") >= 2
    for title in ("Examples:", "Overrides:", "Options:"):
        assert title in title_lines(said.out)
    for syntax in ("key=value", "+key=value", "~key", "-m key=a,b"):
        assert f"\n  {syntax} " in said.out


@pytest.mark.parametrize("name", registry.COMMANDS)
def test_help_explains_every_commented_key_of_the_command(name):
    text = help_text(name)
    for key in commented_keys(conf_dir() / f"{name}.yaml"):
        if key.comment and not key.name.startswith("hydra"):
            assert re.search(rf"^  {re.escape(key.name)}(=|\s|$)", text, flags=re.MULTILINE), key.name


@pytest.mark.parametrize("name", registry.COMMANDS)
def test_the_examples_compose(name):
    for example in registry.description(name).examples:
        program, command, *arguments = shlex.split(example)
        assert (program, command) == ("recsys", name)
        arguments = registry.overrides_of(name, arguments)
        overrides = [word.split(",")[0] if "-m" in arguments else word for word in arguments if word != "-m"]
        assert recsys.compose([override for override in overrides if "<" not in override], name)


def test_help_of_train_has_groups_with_their_choices_and_keys_with_their_meaning(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = help_text("train")
    assert "\n  loss=sampled_softmax        bce, bpr, distil, full_softmax, gbce, infonce," in text
    assert "\n  experiment=null             alpharec, bert4rec, " in text
    assert "\n  rerun=false                 run again even if a finished record exists\n" in text
    assert "\n  paths.runs_dir=${oc.env:RECSYS_RUNS,runs}\n                              run records" in text
    assert "hydra" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_help_of_recommend_is_about_recommending_only():
    text = help_text("recommend")
    assert "\n  run=…                       required: a run's id" in text
    assert "\n  top_k=10 " in text
    assert "Groups" not in text
    for of_training in ("learning_rate", "batches", "max_epochs", "sampled_softmax"):
        assert of_training not in text


@pytest.mark.parametrize("form", [["--config-dir", "{}"], ["-cd", "{}"], ["--config-dir={}"]])
def test_the_choices_of_a_given_folder_are_listed(tmp_path, form):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "mine.yaml").write_text("# Mine.\n")
    assert "gpt2, mine, none" in help_text("train", [word.format(tmp_path) for word in form])
    assert "mine" not in help_text("train")
