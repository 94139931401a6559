"""Whatever a text holds, Hydra reads it back from the override."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from in_process import call

from recsys.config.compose import compose
from recsys.config.errors import sentence_of
from recsys.config.overrides import override
from recsys.schema import ConfigError

TEXTS = ["a", "josé", "x (1)", "dt=2024", "a,b", "it's", "[b]", "a#b", "{title}. {x}", "12", "true", "", "a\\", "a\\'b"]
TEXTS += ["1e5", '"q"', " lead", "-x", "null", "a:b", "sqlite:///x?y=1", "*", "a\tb", "~/.cache", "glob(*)", "5min"]


@pytest.mark.parametrize("value", [*TEXTS, None, True, 3, 0.5, [1, "it's"], {"k": "a b"}])
def test_an_override_gives_its_value_back(value):
    assert OverridesParser.create().parse_override(override("key", value)).value() == value


@pytest.mark.parametrize("path", ["~/data/ml-1m.zip", "~/my data (1)", "~"])
def test_a_path_in_the_home_folder_needs_no_quotes(path):
    assert compose(["data=movielens", f"data.path={path}"]).data.path == path
    said = call("prepare_data", ["data=movielens", f"data.path={path}/missing"])
    assert "there is no file or folder" in said.error
    assert str(Path(f"{path}/missing").expanduser()) in said.error


@pytest.mark.parametrize("value", [";", ",", "{title}", "{title}. {x}", "title LIKE '%a%'"])
def test_the_error_about_special_characters_has_the_override_to_type(value):
    with pytest.raises(ConfigError, match="cannot be read: a value with special characters needs quotes: ") as told:
        compose([f"data.separator={value}"])
    (word,) = shlex.split(str(told.value).partition("needs quotes: ")[2])
    assert OverridesParser.create().parse_override(word).value() == value


def test_the_error_about_labels_with_brackets_has_the_list_to_type():
    with pytest.raises(ConfigError, match="cannot be read: values with special characters need quotes: ") as told:
        compose(["study.only=[cf,bert+cf (settings of cf), 'a b']"], "study")
    (word,) = shlex.split(str(told.value).partition("need quotes: ")[2])
    assert OverridesParser.create().parse_override(word).value() == ["cf", "bert+cf (settings of cf)", "a b"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[encoder=tfidf, 'seed=1']", ["encoder=tfidf", "seed=1"]),
        ("[[ranker=popularity]]", [["ranker=popularity"]]),
        ("{text: [encoder=tfidf, +a.b=1e-3]}", {"text": ["encoder=tfidf", "+a.b=1e-3"]}),
    ],
)
def test_the_error_about_overrides_without_quotes_has_the_override_to_type(value, expected):
    with pytest.raises(ConfigError, match="cannot be read: overrides within a value need quotes: ") as told:
        compose([f"study.cells={value}"], "study")
    (word,) = shlex.split(str(told.value).partition("need quotes: ")[2])
    assert OverridesParser.create().parse_override(word).value() == expected


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        (None, "call recsys.run once for each value, or recsys.study"),
        ("train", "add -m to run the command once for each, as in recsys train -m … seed=0,1"),
    ],
)
def test_the_error_about_several_values_has_the_ways_to_write_them(command, remedy):
    with pytest.raises(ConfigError, match=r"^seed=0,1 has several values, and a key takes one: ") as told:
        compose(["seed=0,1"])
    assert sentence_of(told.value.__cause__, command) == (
        f"seed=0,1 has several values, and a key takes one: {remedy}. A list is 'seed=[0,1]', a text \"seed='0,1'\"."
    )
    assert "recsys.study" in str(told.value)


def test_the_error_about_an_unknown_option_names_the_folders_of_ones_own_options():
    with pytest.raises(ConfigError, match=r"\. Options of your own are read .*--config-dir.* RECSYS_CONF\.$"):
        compose(["encoder=zzzz"])
    with pytest.raises(ConfigError, match=r"; did you mean bert"):
        compose(["encoder=brt"])
