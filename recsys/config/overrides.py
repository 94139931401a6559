"""Overrides in the grammar of Hydra's command line."""

from __future__ import annotations

import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w./@?|%+-]*", re.ASCII)  # texts that need no quotes
_OF_HOME = re.compile(r"([\w.@+/]+)=(~(?:/[^'\",]*)?)")
_WORDS = {"null", "true", "false", "nan", "inf"}  # which need quotes to be texts


def override(key: str, value: Any) -> str:
    """The override that sets a key to a value; texts may have any characters.

    Example:
        >>> override("seed", 1), override("paths.runs_dir", "/home/it's (1)")
        ('seed=1', "paths.runs_dir='/home/it\\\\'s (1)'")
    """
    return f"{key}={text(value)}"


def text(value: Any) -> str:
    """A value as text for the right side of an override.

    Example:
        >>> text(None), text(True), text([1, "a"]), text(0.5), text("{title}")
        ('null', 'true', '[1,a]', '0.5', "'{title}'")
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{text(key)}:{text(inner)}" for key, inner in value.items()) + "}"
    return quoted(value) if isinstance(value, str) else str(value)


def home_quoted(written: str) -> str:
    """An override whose value is a path in the home folder, with the quotes that Hydra's grammar needs; else unchanged.

    Several values of a sweep are unchanged, since quotes would make one text of them.

    Example:
        >>> home_quoted("data.path=~/data/ml 1m"), home_quoted("~tags"), home_quoted("data.path=~/a,~/b")
        ("data.path='~/data/ml 1m'", '~tags', 'data.path=~/a,~/b')
    """
    found = _OF_HOME.fullmatch(written)
    return written if found is None else f"{found[1]}={quoted(found[2])}"


def quoted(value: str) -> str:
    """A text, in quotes if Hydra's grammar would read it as another value."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # In quotes, backslashes are special only before a quote or at the end.
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
    return f"'{escaped}'"
