"""Commands that can follow, printed at the end of a command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from omegaconf import DictConfig
from rich.console import Console

from recsys.tracking.secrets import redacted

_SHARED = ("paths.runs_dir", "runs_dir", "paths.cache_dir", "trust")  # keys that the next command needs as well


def print_next_steps(console: Console, cfg: DictConfig, *commands: Sequence[str]) -> None:
    """Print commands that can be pasted.

    Args:
        console: Where to print them.
        cfg: Of the command that ends; where it was given another store or cache, so are these.
        commands: The words of each after `recsys`.
    """
    given = [str(override) for override in cfg.get("overrides") or [] if str(override).partition("=")[0] in _SHARED]
    for place, words in enumerate(commands):
        line = redacted(shlex.join(["recsys", *words, *(_of_any_command(override) for override in given)]))
        console.print(f"{'      ' if place else 'Next: '}{line}", markup=False, highlight=False, soft_wrap=True)


def _of_any_command(override: str) -> str:
    return f"paths.{override}" if override.startswith("runs_dir=") else override
