"""Checks of configuration values, one for each kind; errors name the key, the value and the expected values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from recsys.config import renamed
from recsys.schema import ConfigError
from recsys.support.near_names import nearest

MISSING = "???"  # the default of a key that must be given
SEEDS = 2**32  # seeds of numpy and Lightning are below


def check_flags(node: Mapping[str, Any], *keys: str) -> None:
    """Raise an error for values of top-level keys that are neither true nor false.

    Raises:
        ConfigError: With the key and its value.
    """
    for key in keys:
        if not isinstance(node[key], bool):
            raise ConfigError(f"{key} is {node[key]!r}; expected true or false.")


def check_texts(key: str, value: Any) -> None:
    """Raise an error unless the value is a list of texts.

    Raises:
        ConfigError: With the key and its value.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{key} is {value!r}; expected a list of texts such as [one,two].")


def check_choices(key: str, values: Any, known: Sequence[str]) -> None:
    """Raise an error unless the value is a list of known names.

    Raises:
        ConfigError: With the most similar known one.
    """
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ConfigError(f"{key} is {values!r}; expected a list out of {', '.join(known)}.")
    for value in values:
        if value not in known:
            hint = nearest(value, known) or "."
            raise ConfigError(f"{key} has {value!r}; expected names out of {', '.join(known)}{hint}")


def check_keys(node: str, keys: Iterable[Any], known: Iterable[str]) -> None:
    """Raise an error for unused keys of a config node.

    Args:
        node: The dotted name of the node; empty for the top level.
        keys: Its keys.
        known: The keys that are allowed.

    Raises:
        ConfigError: With the key and the most similar known one.
    """
    names = sorted(map(str, known))
    for key in map(str, keys):
        if key not in names:
            full = f"{node}.{key}" if node else key
            hint = nearest(key, names) or f"; {node or 'the configuration'} has {', '.join(names)}."
            raise ConfigError(f"{full} is an unknown key{f'{new}.' if (new := renamed.hint(full)) else hint}")


def check_like(node: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise an error for values of another kind than their defaults: text, number, truth value or list.

    Args:
        node: The dotted name of the node; empty for the top level.
        values: By key.
        defaults: By key; a default of null allows every kind, and nested nodes are not checked.

    Raises:
        ConfigError: With the key, the value and the expected values.
    """
    for key, default in defaults.items():
        kind = next((kind for kind in _KINDS if isinstance(default, kind)), None)
        if kind is None or key not in values or default == MISSING:
            continue
        expected, types = _KINDS[kind]
        value = values[key]
        if not isinstance(value, types) or (isinstance(value, bool) and kind is not bool):
            raise ConfigError(f"{node + '.' if node else ''}{key} is {value!r}; expected {expected}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{node + '.' if node else ''}{key} is {value}; expected a finite number.")


# Values must have the kind of their default. A whole number as default allows any number.
_KINDS: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a number", (int, float)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
    list: ("a list", (list,)),
}


def check_finite(node: Mapping[str, Any]) -> None:
    """Raise an error for NaN and infinity in a configuration.

    Raises:
        ConfigError: Naming the key.
    """
    for key, value in _floats(node, ""):
        if not math.isfinite(value):
            raise ConfigError(f"{key} is {value}; expected a finite number.")


def _floats(value: Any, key: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _floats(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _floats(inner, f"{key}[{place}]")
    elif isinstance(value, float):
        yield key, value
