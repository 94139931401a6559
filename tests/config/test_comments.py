"""Keys, defaults and comments of config files."""

from __future__ import annotations

import pytest

from recsys.config.comments import Key, commented_keys, description
from recsys.config.folders import conf_dir

FILE = """\
# @package _global_
# One run.
# And more.
defaults:
  - data: table  # not a key
seed: 0  # of everything
rate: 3.0e-3
text: "a # b"  # has a # in it
batches:
  batch_size: 2048  # examples
  # above
  sizes: {a: 1, b: [2, 3]}
search:  # a section
  rate: {low: 1, high: 2}  # a range
formats: [html,
  md]  # over two lines
nothing:
plain: a#b
"on": all  # quoted
"""


def test_every_key_has_its_default_as_written_and_its_comment(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(FILE)
    assert description(path) == "One run. And more."
    assert commented_keys(path) == [
        Key("seed", "0", "of everything"),
        Key("rate", "3.0e-3", ""),
        Key("text", '"a # b"', "has a # in it"),
        Key("batches", None, ""),
        Key("batches.batch_size", "2048", "examples"),
        Key("batches.sizes", "{a: 1, b: [2, 3]}", "above"),
        Key("search", None, "a section"),
        Key("search.rate", "{low: 1, high: 2}", "a range"),
        Key("formats", "[html, md]", "over two lines"),
        Key("nothing", "", ""),
        Key("plain", "a#b", ""),
        Key("on", "all", "quoted"),
    ]


def test_a_text_of_several_lines_is_one_line_with_the_comment_beside_its_header(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text('# A file.\na: |-  # a template\n  Two words\n  "and" more # not a comment\nb: 1  # a number\n')
    assert commented_keys(path) == [
        Key("a", '"Two words \\"and\\" more # not a comment"', "a template"),
        Key("b", "1", "a number"),
    ]


def test_a_file_without_keys_has_none(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# Nothing.\n")
    assert commented_keys(path) == []
    assert description(path) == "Nothing."


@pytest.mark.parametrize("path", sorted(conf_dir().rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_config_file_is_described_and_read(path):
    assert description(path)
    keys = commented_keys(path)
    assert len({key.name for key in keys}) == len(keys)
