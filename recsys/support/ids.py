"""Ids exactly as they are written on a command line (12_345 is not 12345) or in Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from numpy import integer
from omegaconf import DictConfig, ListConfig

from recsys import schema
from recsys.schema import ConfigError

_LIST = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,'"\[\]{}]*)\s*(,|$)""")


def ids_of_key(cfg: DictConfig, key: str) -> list[str]:
    """The ids of a key, one or a list, exactly as written on the command line; empty for null.

    Hydra reads `12_345` as 12345, `1e5` as 100000.0 and `true` as True; ids are taken from the text instead.

    Raises:
        ConfigError: If a value is not an id.

    Example:
        >>> from omegaconf import OmegaConf
        >>> ids_of_key(OmegaConf.create({"user": 12345, "overrides": ["user=12_345"]}), "user")
        ['12_345']
    """
    value = cfg[key]
    if value is None:
        return []
    values = list(value) if isinstance(value, ListConfig) else [value]
    if all(isinstance(one, str) for one in values) or not all(isinstance(one, str | int | float) for one in values):
        return _checked(values, key)
    for override in reversed(cfg.get("overrides") or []):
        name, _, text = override.partition("=")
        if name.lstrip("+") == key:
            written = _written(text)
            if _read(override) == (list(value) if isinstance(value, ListConfig) else value) and written is not None:
                return _checked(written, key)
            break
    return ids_of(values, key)


def one_id(cfg: DictConfig, key: str) -> str:
    """The id of a key that names one, exactly as written on the command line.

    Raises:
        ConfigError: If the value is not one id.
    """
    ids = ids_of_key(cfg, key)
    if len(ids) != 1:
        raise ConfigError(f"{key} is {cfg[key]!r}; expected one id.")
    return ids[0]


def ids_of(value: Any, key: str = schema.USER_ID) -> list[str]:
    """The ids of a value in Python: a text, a whole number, or a list, array, series or frame of these.

    Raises:
        ConfigError: If a value is not an id, such as a boolean, a decimal number or None.

    Example:
        >>> ids_of(7), ids_of(["0012", 7])
        (['7'], ['0012', '7'])
    """
    if isinstance(value, str | integer) or not isinstance(value, Iterable):
        return _checked([value], key)
    if hasattr(value, "columns"):  # a frame of polars or pandas
        if len(value.columns) != 1 and key not in value.columns:
            found = ", ".join(map(str, value.columns))
            raise ConfigError(f"{key}: a table with the columns {found}; expected '{key}'.")
        table: Any = value
        value = table[key if key in table.columns else table.columns[0]]
    return _checked(value.to_list() if isinstance(value, pl.Series) else list(value), key)


def _checked(values: Sequence[Any], key: str) -> list[str]:
    for value in values:
        is_whole = isinstance(value, int | integer) and not isinstance(value, bool)
        if not is_whole and not (isinstance(value, str) and value):
            raise ConfigError(f"{key} is {value!r}; expected an id: a text or a whole number, or a list of these.")
    return [str(value) for value in values]


def _written(text: str) -> list[str] | None:
    """The ids in the text of an override; None if it is neither one nor a plain list."""
    text = text.strip()
    if not text.startswith("["):
        return [_unquoted(text)]
    inner, place, found = text[1:-1], 0, []
    while place <= len(inner):
        match = _LIST.match(inner, place)
        if match is None:
            return None
        found.append(_unquoted(match[1].strip()))
        place = match.end() + (match[2] == "")
        if match[2] == "" and match.end() == len(inner):
            break
    return found


def _unquoted(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].replace("\\" + text[0], text[0]) if is_quoted else text


def _read(override: str) -> Any:
    try:
        return OverridesParser.create().parse_override(override).value()
    except HydraException:
        return None
