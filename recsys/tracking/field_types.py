"""Checks of the types of values that were read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

SHOWN = 60  # characters of a wrong value in a message
_WORDS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
    list: "a list",
    dict: "an object",
}


def wrong_field(kind: type, values: Mapping[str, Any]) -> str | None:
    """A sentence about the first value that does not have its field's type; None if all types are right.

    Args:
        kind: The dataclass.
        values: Values by the names of its fields.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Run:
        ...     seed: int
        >>> wrong_field(Run, {"seed": "one"})
        "seed is 'one', expected a whole number"
    """
    hints = _hints(kind)
    for name, value in values.items():
        if not conforms(value, hints[name]):
            return _wrong(name, value, hints[name])
    return None


def wrong_part(values: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The same for values inside the fields.

    Args:
        values: Values by the names of the fields.
        parts: Types by field and key; keys may be missing in the values.
    """
    for name, hints in parts.items():
        for key, hint in hints.items():
            part = values[name] or {}
            if key in part and not conforms(part[key], hint):
                return _wrong(f"{name}.{key}", part[key], hint)
    return None


def _wrong(name: str, value: Any, hint: Any) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return f"{name} is {shown}, expected {_words(hint)}"


def conforms(value: Any, hint: Any) -> bool:
    """Whether a JSON value has a type such as `dict[str, float] | None`; a whole number counts as a float too.

    Example:
        >>> conforms({"a": 1}, dict[str, float]), conforms([True], list[int])
        (True, False)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(conforms(value, one) for one in inner)
    if origin is list:
        return isinstance(value, list) and all(conforms(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(conforms(one, inner[1]) for one in value.values())
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {entry.name: hints[entry.name] for entry in fields(kind)}


def _words(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, inner))
    if origin in (list, dict) and inner[-1] is not Any:
        return f"{_WORDS[origin]} of which each value is {_words(inner[-1])}"
    return _WORDS.get(origin or hint, str(hint))
