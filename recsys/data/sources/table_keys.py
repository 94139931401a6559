"""Checks of the keys of `data=table`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from recsys.schema import ConfigError
from recsys.support.number_checks import is_number


def check_texts(table: Any, key: str, *filled: str) -> None:
    """Raise an error for values of a table's keys that are not strings; those of `filled` must not be null or empty.

    Raises:
        ConfigError: With the key and its value.
    """
    others = {"min_rating", "columns"}
    for field in fields(table):
        value = getattr(table, field.name)
        is_text = isinstance(value, str) and (value or field.name not in filled)
        if field.name not in others and not is_text and (value is not None or field.name in filled):
            raise ConfigError(f"{key}.{field.name} is {value!r}; expected a text{_quoting(value)}.")


def _quoting(value: object) -> str:
    return f" (a column that is called so is written \"'{value}'\")" if is_number(value) else ""


def names_of(names: Any, key: str) -> list[str] | None:
    """Names of columns as a plain list, or None.

    Raises:
        ConfigError: If they are not distinct, non-empty strings.
    """
    if names is None:
        return None
    listed = [] if isinstance(names, str) or not isinstance(names, Sequence) else list(names)
    if not listed or not all(isinstance(name, str) and name for name in listed) or len(set(listed)) < len(listed):
        raise ConfigError(
            f"{key} is {names!r}; expected different names, one for each column, as in [user_id,item_id]."
        )
    return listed
