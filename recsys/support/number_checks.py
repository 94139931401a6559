"""Checks of numbers, one for each kind; errors name the key, the value and the expected values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from recsys.schema import ConfigError


def is_whole(value: Any) -> bool:
    """Whether a value is an integer of Python or numpy, and not a boolean.

    Example:
        >>> [is_whole(value) for value in (3, 3.0, True, None)]
        [True, False, False, False]
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number of Python or numpy, and not a boolean.

    Example:
        >>> [is_number(value) for value in (3, 0.5, float("nan"), True, "3")]
        [True, True, False, False, False]
    """
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_whole(
    key: str, value: Any, minimum: int, below: int | None = None, optional: bool = False, reason: str = ""
) -> None:
    """Raise an error unless the value is an integer of at least `minimum` and below `below`; `optional` allows None.

    Args:
        key: The key of the configuration, for the message.
        value: The value to check.
        minimum: The smallest allowed value.
        below: The smallest value that is too large; None for no bound.
        optional: Whether None is allowed.
        reason: The text of the message after the expected values.

    Raises:
        ConfigError: With the key, the value and the expected values.
    """
    if value is None and optional:
        return
    if not is_whole(value) or value < minimum or (below is not None and value >= below):
        bound = f"of at least {minimum}" if below is None else f"from {minimum} to {below - 1}"
        raise ConfigError(f"{key} is {value!r}; expected a whole number {bound}{_or_null(optional)}{reason}.")


def check_wholes(key: str, values: Any, minimum: int, example: str, may_be_empty: bool = False) -> None:
    """Raise an error unless the value is a list of integers of at least `minimum`, by default a non-empty one.

    Raises:
        ConfigError: With the key, the value and the expected values.
    """
    is_list = isinstance(values, Iterable) and not isinstance(values, str)
    numbers = list(values) if is_list else []
    if not is_list or not (numbers or may_be_empty) or not all(is_whole(one) and one >= minimum for one in numbers):
        shown = numbers if is_list else values
        raise ConfigError(
            f"{key} is {shown!r}; expected a list of whole numbers of at least {minimum}, such as {example}."
        )


def check_number(
    key: str,
    value: Any,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    optional: bool = False,
    reason: str = "",
) -> None:
    """Raise an error unless the value is a finite number within these bounds; `optional` allows None.

    Raises:
        ConfigError: With the key, the value and the expected values.

    Example:
        >>> check_number("train_share", 0.5, above=0, at_most=1)
    """
    if value is None and optional:
        return
    low = is_number(value) and (above is None or value > above) and (at_least is None or value >= at_least)
    if not low or (below is not None and value >= below) or (at_most is not None and value > at_most):
        bounds = {"above": above, "of at least": at_least, "below": below, "at most": at_most}
        shown = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        if at_least is not None and at_most is not None:
            shown = f"from {at_least:g} to {at_most:g}"
        expected = f"a finite number{f' {shown}' if shown else ''}"
        raise ConfigError(f"{key} is {value!r}; expected {expected}{_or_null(optional)}{reason}.")


def _or_null(optional: bool) -> str:
    return ", or null" if optional else ""
