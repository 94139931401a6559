"""Checks of mappings in a configuration; errors name the key, the value and the expected values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.schema import ConfigError


def mapping_of(key: str, value: Any, example: str) -> dict[str, Any]:
    """A copy of the mapping as a dictionary; empty for None.

    Args:
        key: The key of the configuration, for the message.
        value: The value to check.
        example: A correct value, for the message.

    Raises:
        ConfigError: If it is not a mapping.

    Example:
        >>> mapping_of("parameters", {"top_p": 0.9}, "{top_p: 0.9}"), mapping_of("parameters", None, "{top_p: 0.9}")
        ({'top_p': 0.9}, {})
        >>> mapping_of("parameters", 3, "{top_p: 0.9}")
        Traceback (most recent call last):
        recsys.schema.ConfigError: parameters is 3; expected a mapping, as in {top_p: 0.9}, or null.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}; expected a mapping, as in {example}, or null.")
    return {str(name): own for name, own in (value or {}).items()}
