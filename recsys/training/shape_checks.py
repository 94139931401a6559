"""Checks of the tensors that rankers, profiles and losses return, which may be a user's own classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from recsys.schema import RecsysError


def check_shape(part: Any, method: str, found: Any, axes: str, expected: Sequence[int | None]) -> None:
    """Check the shape of a result; nothing is checked in a graph that is exported.

    Args:
        part: The component.
        method: The method that returned the result.
        found: The result.
        axes: Names of its axes, as in "(B, N)".
        expected: Their sizes; None for any size.

    Raises:
        RecsysError: With the names of the class and the method, the expected shape and the found one.
    """
    if torch.compiler.is_compiling():
        return
    shape = tuple(found.shape) if isinstance(found, Tensor) else None
    if shape is not None and len(shape) == len(expected) and all(map(_fits, shape, expected)):
        return
    sizes = ", ".join("any" if size is None else str(size) for size in expected)
    raise RecsysError(
        f"{type(part).__name__}: {method} must return a tensor {axes}, here ({sizes}); got {_described(found)}."
    )


def check_loss(loss: Any, found: Any) -> None:
    """Check that a loss is a tensor of one number.

    Raises:
        RecsysError: With the name of the loss, and what it returned.
    """
    if isinstance(found, Tensor) and found.numel() == 1:
        return
    function = loss.func if isinstance(loss, partial) else loss
    name = getattr(function, "__name__", type(function).__name__)
    raise RecsysError(f"loss {name} must return a tensor of one number, such as a mean; got {_described(found)}.")


def _fits(size: int, expected: int | None) -> bool:
    return expected is None or size == expected


def _described(found: Any) -> str:
    return f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
