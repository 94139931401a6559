"""The line at the beginning of a command, and the commands that can follow, at its end."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig
from rich.console import Console

from recsys.tracking.record import Record, data_name
from recsys.tracking.typed_commands import typed_command

_SHARED = ("paths.runs_dir", "runs_dir", "paths.cache_dir", "trust")  # keys that the next command needs as well


def print_header(console: Console, line: str) -> None:
    """Print on one line what a command is about; only a terminal breaks it."""
    console.print(" ".join(line.split()), markup=False, highlight=False, soft_wrap=True)


def run_line(record: Record) -> str:
    """A run in one line: its id, name, seed, data and split."""
    split = record.choices.get("split")
    return f"run {record.run_id}: {record.name}, seed {record.seed}, on {data_name(record)}, split {split}"


def of_data(cfg: DictConfig) -> list[str]:
    """The overrides of a command that choose the data and the split."""
    given = (str(override) for override in cfg.get("overrides") or [])
    return [override for override in given if override.lstrip("+").startswith(("data=", "data.", "split=", "split."))]


def print_next_steps(console: Console, cfg: DictConfig, *commands: Sequence[str]) -> None:
    """Print commands that can be pasted.

    Args:
        console: Where to print them.
        cfg: Of the finished command. Its overrides of the store, the cache and `trust` are added to each line.
        commands: The words of each after `recsys`.
    """
    given = [override for override in map(str, cfg.get("overrides") or []) if _is_shared(override)]
    for place, words in enumerate(commands):
        line = typed_command(words[0], [*words[1:], *(_of_any_command(override) for override in given)])
        console.print(f"{'      ' if place else 'Next: '}{line}", markup=False, highlight=False, soft_wrap=True)


def own_overrides(cfg: DictConfig) -> list[str]:
    """The overrides of a command without those that `print_next_steps` adds."""
    return [override for override in map(str, cfg.get("overrides") or []) if not _is_shared(override)]


def _is_shared(override: str) -> bool:
    return override.partition("=")[0] in _SHARED


def _of_any_command(override: str) -> str:
    return f"paths.{override}" if override.startswith("runs_dir=") else override
