"""A progress bar for terminals; none if the output is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
WORTH_SHOWING = 20  # steps


def track(steps: Sequence[T], description: str) -> Iterable[T]:
    """The steps, with a bar and the time left on a terminal."""
    if len(steps) < WORTH_SHOWING or not sys.stderr.isatty():
        return steps
    from rich.console import Console
    from rich.progress import track as rich_track

    return rich_track(steps, description, console=Console(stderr=True), transient=True)
