"""Errors of the configuration that name the arguments of a Python function instead of configuration keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from recsys.schema import RecsysError

_VALUES = {"null": "None", "true": "True", "false": "False"}


@contextmanager
def errors_of_arguments(keys: Mapping[str, str]) -> Iterator[None]:
    """Replace configuration keys in the messages of errors.

    Args:
        keys: Configuration keys by the names of the arguments.

    Raises:
        RecsysError: Of the same type, with the names of arguments.
    """
    try:
        yield
    except RecsysError as error:
        raise type(error)(with_arguments(str(error), keys)) from error


def with_arguments(message: str, keys: Mapping[str, str]) -> str:
    """A message with arguments instead of configuration keys; values are written as in Python.

    Example:
        >>> with_arguments("set data.bad_rows=drop", {"bad_rows": "data.bad_rows"})
        "set bad_rows='drop'"
    """
    arguments = {key: name for name, key in keys.items()}
    known = "|".join(re.escape(key) for key in sorted(arguments, key=len, reverse=True))

    def written(found: re.Match[str]) -> str:
        value = found[2]
        return arguments[found[1]] + ("" if value is None else f"={_VALUES.get(value, repr(value))}")

    return re.sub(rf"(?<![\w.])({known})\b(?:=(\w+))?", written, message)
