"""Keys of a config file with their defaults and the comments that explain them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import yaml

_DEFAULTS_LIST = "defaults"  # Hydra's defaults list, which is not a key of the configuration
_BLOCKS = ("|", ">")  # styles of multi-line texts
_BLOCK_HEADER = re.compile(r"^[|>][-+0-9]*\s*(?=#)")  # as in `|-`, before a comment


@dataclass(frozen=True)
class Key:
    """One key of a config file.

    Attributes:
        name: With dots between levels, as on the command line: `batches.batch_size`.
        default: Its value as written in the file; None for a section, whose keys follow it.
        comment: The text after `#` on the line of the key or of its last value, else the comment lines directly above;
            empty if there is none.
    """

    name: str
    default: str | None
    comment: str


def commented_keys(path: Path) -> list[Key]:
    """All keys of a config file in its order, the sections of nested keys included.

    Raises:
        yaml.YAMLError: If the file is not valid yaml.
    """
    text = path.read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return []
    return list(_keys(root, text, _comments(text), ""))


def description(path: Path) -> str:
    """The comment lines at the top of a config file, without `# @package`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), lines)]
    return " ".join(line for line in head if not line.startswith("@"))


def _keys(node: yaml.MappingNode, text: str, comments: dict[int, str], prefix: str) -> Iterator[Key]:
    for key, value in node.value:
        if not prefix and key.value == _DEFAULTS_LIST:
            continue
        name = f"{prefix}{key.value}"
        is_section = isinstance(value, yaml.MappingNode) and not value.flow_style
        first = key.start_mark.line
        last = first if is_section else max(first, _last_line(value))
        comment = comments.get(last) or comments.get(first) or _above(text, first)
        yield Key(name, None if is_section else _written(value, text), comment)
        if isinstance(value, yaml.MappingNode) and is_section:
            yield from _keys(value, text, comments, f"{name}.")


def _last_line(value: yaml.Node) -> int:
    """The number of a value's last line; yaml marks the end of a block at the start of the next line."""
    ends_before = value.end_mark.column == 0 and value.end_mark.line > value.start_mark.line
    return int(value.end_mark.line) - ends_before


def _written(value: yaml.Node, text: str) -> str:
    if isinstance(value, yaml.ScalarNode) and value.style in _BLOCKS:
        return json.dumps(" ".join(value.value.split()), ensure_ascii=False)
    written = text[value.start_mark.index : value.end_mark.index]
    if "\n" not in written:
        return written
    return " ".join(line.split(" #")[0].strip() for line in written.splitlines()).strip()


def _above(text: str, line: int) -> str:
    """The comment lines directly above a line, except those at the top of the file."""
    lines = text.splitlines()
    above = list(takewhile(lambda number: lines[number].lstrip().startswith("#"), range(line - 1, -1, -1)))
    if above and above[-1] == 0:
        return ""
    return " ".join(lines[number].strip().removeprefix("#").strip() for number in reversed(above))


def _comments(text: str) -> dict[int, str]:
    """The comment after the content of each line, by the number of the line."""
    last = {token.end_mark.line: token.end_mark.column for token in yaml.scan(text) if _is_content(token)}
    found = {}
    for number, line in enumerate(text.splitlines()):
        rest = _BLOCK_HEADER.sub("", line[last.get(number, len(line)) :].strip())
        if rest.startswith("#"):
            found[number] = rest.lstrip("#").strip()
    return found


def _is_content(token: yaml.Token) -> bool:
    return bool(token.start_mark.index < token.end_mark.index)
